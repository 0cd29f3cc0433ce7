"""What a file says of an event is sent as the ingest would read it; what cannot be read is an error with its place."""

from __future__ import annotations

import gzip
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from remora.core.errors import DataError
from remora.serving.event_file import read_events

NAMES = {"item_id": ["i", "j"], "event_type": ["buy", "buy"]}


def of_parquet(folder: Path, **columns: Any) -> list[dict[str, Any]]:
    path = folder / "events.parquet"
    pl.DataFrame({**columns, **NAMES}).write_parquet(path)
    return list(read_events(path))


@pytest.mark.parametrize(
    ("ids", "sent"),
    [
        ([12.0, 13.0], ["12", "13"]),
        ([Decimal("12.00"), Decimal("13.50")], ["12", "13.5"]),
        ([2**63 - 1, -7], ["9223372036854775807", "-7"]),
        ([True, False], ["true", "false"]),
    ],
)
def test_an_id_is_the_one_that_the_ingest_reads(tmp_path: Path, ids: list[Any], sent: list[str]) -> None:
    assert [event["user_id"] for event in of_parquet(tmp_path, user_id=ids)] == sent


@pytest.mark.parametrize("ids", [[b"a", b"b"], [["a"], ["b"]], [{"a": 1}, {"a": 2}]])
def test_what_is_no_text_is_no_id(tmp_path: Path, ids: list[Any]) -> None:
    with pytest.raises(DataError, match=r"column 'user_id' of .* has the type"):
        of_parquet(tmp_path, user_id=ids)


def test_numbers_are_what_json_has(tmp_path: Path) -> None:
    events = of_parquet(tmp_path, user_id=["u", "v"], value=[float("nan"), float("inf")], position=[2.0, 1.5])
    assert "value" not in events[0]
    assert events[1]["value"] == "inf"  # for the contract to refuse with its reason
    assert [event["position"] for event in events] == [2, 1.5]
    json.dumps(events, allow_nan=False)


def test_a_member_of_a_context_that_is_null_is_not_sent(tmp_path: Path) -> None:
    contexts = [{"shop": "a", "price": None}, {"shop": None, "price": float("nan")}]
    events = of_parquet(tmp_path, user_id=["u", "v"], context=contexts)
    assert [event["context"] for event in events] == [{"shop": "a"}, {}]


@pytest.mark.parametrize("name", ["A.JSONL", "a.ndjson.gz", "a.JSON.GZ", "A.CSV", "a.csv.gz"])
def test_a_name_says_the_format_in_any_letters_and_compressed(tmp_path: Path, name: str) -> None:
    event = {"user_id": "u", "item_id": "i", "event_type": "buy"}
    text = "\ufeff" + (
        f"{','.join(event)}\n{','.join(event.values())}\n" if "csv" in name.lower() else json.dumps(event)
    )
    content = text.encode()
    (tmp_path / name).write_bytes(gzip.compress(content) if name.lower().endswith("gz") else content)
    assert list(read_events(tmp_path / name)) == [event]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.jsonl", b'{"value": NaN}', "Line 1 .* no JSON"),
        ("a.jsonl", b'{"user_id": "\\ud800"}', "half a surrogate pair"),
        ("a.jsonl", b"[" * 60_000, "Line 1 .* no JSON"),
        ("a.jsonl", b'{"user_id": "u", "user_id": "v"}', "a name stands twice"),
        ("a.jsonl.gz", gzip.compress(b"{}\n" * 90_000)[:-20], "Cannot read .*a.jsonl.gz"),
        ("a.csv.gz", gzip.compress(b"user_id\n" * 90_000)[:-20], r"a\.csv\.gz"),
        ("a.xlsx", b"PK", r"Names end in \.jsonl"),
        ("a.jsonl.zst", b"(", r"Names end in \.jsonl"),
    ],
)
def test_what_cannot_be_read_is_an_error_and_not_no_event(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=says):
        list(read_events(tmp_path / name))
