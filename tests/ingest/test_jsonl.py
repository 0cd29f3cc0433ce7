"""JSON lines: nested objects, odd lines, numbers with all their digits, lists."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remora.core.errors import UnreadableInput
from remora.core.home import Home
from remora.ingest.files import ORDER, UNREADABLE
from remora.ingest.ingest import ingest
from remora.ingest.jsonl import JSONL, flat
from remora.ingest.locate import locate
from remora.settings import Settings, SourceSettings


def read(folder: Path, content: bytes, name: str = "rows.jsonl", **source: Any) -> pa.Table:
    """All rows of a file."""
    (folder / name).write_bytes(content)
    settings = SourceSettings(path=name, format="jsonl", event_type="view", **{"columns": {}, **source})
    (file,) = locate(settings, Home(str(folder)), 0).files
    inspected = JSONL.inspect(file, settings)
    table = pa.concat_tables(batch for split in inspected.splits for batch in JSONL.read(split, settings))
    assert table.num_rows == inspected.rows
    assert table.drop_columns([ORDER, UNREADABLE]).schema == inspected.schema
    return table


def test_nested_objects_are_columns_with_dotted_names(tmp_path: Path) -> None:
    lines = [{"user": {"id": 7, "geo": {"country": "NO"}}, "ok": True}, {"user": {"id": "8"}, "tags": ["a", "b"]}]
    table = read(tmp_path, "\n".join(map(json.dumps, lines)).encode())
    rows = table.drop_columns([ORDER, UNREADABLE]).to_pylist()
    assert rows[0] == {"user.id": "7", "user.geo.country": "NO", "ok": "true", "tags": None}
    assert rows[1] == {"user.id": "8", "user.geo.country": None, "ok": None, "tags": '["a", "b"]'}


def test_numbers_keep_all_their_digits(tmp_path: Path) -> None:
    table = read(tmp_path, b'{"id": 12345678901234567890, "price": 1.10}\n')
    assert table.select(["id", "price"]).to_pylist() == [{"id": "12345678901234567890", "price": "1.10"}]


def test_a_list_is_one_where_the_settings_say_so(tmp_path: Path) -> None:
    table = read(
        tmp_path,
        b'{"i": 1, "t": ["a", 2, null]}\n{"i": 2, "t": "b"}\n{"i": 3}\n',
        columns={"item_id": "i", "tags": "t"},
        types={"tags": "list[string]"},
    )
    assert table["t"].to_pylist() == [["a", "2"], ["b"], None]


def test_lines_that_are_no_objects_are_handed_on_as_they_are(tmp_path: Path) -> None:
    table = read(tmp_path, b'\xef\xbb\xbf{"a": 1}\r\n\n[1]\n{"a": \n{"a": 2}')
    assert table["a"].to_pylist() == ["1", None, None, "2"]
    assert table[UNREADABLE].to_pylist() == [None, "[1]", '{"a":', None]
    assert table[ORDER].to_pylist() == [1, 2, 3, 4]


def test_a_file_without_any_object_has_rows_and_no_columns(tmp_path: Path) -> None:
    table = read(tmp_path, b"[1]\nx\n")
    assert table.column_names == [ORDER, UNREADABLE]
    assert table[UNREADABLE].to_pylist() == ["[1]", "x"]


def test_compressed_files_are_read_by_their_names(tmp_path: Path) -> None:
    assert read(tmp_path, gzip.compress(b'{"a": 1}\n'), "rows.json.gz")["a"].to_pylist() == ["1"]


def test_a_file_in_another_encoding_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableInput, match=r"no sound file of JSON lines in utf-8.*encoding"):
        read(tmp_path, '{"a": "Käse"}'.encode("latin-1"))
    assert read(tmp_path, '{"a": "Käse"}'.encode("latin-1"), encoding="latin-1")["a"].to_pylist() == ["Käse"]


scalars = st.none() | st.booleans() | st.integers() | st.text(max_size=4)
objects = st.recursive(scalars, lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3), max_leaves=6)


@given(value=st.dictionaries(st.sampled_from("abc"), objects, max_size=3))
def test_flattening_keeps_every_value_and_nests_nothing(value: dict[str, Any]) -> None:
    def leaves(one: Any) -> list[Any]:
        return [leaf for inner in one.values() for leaf in leaves(inner)] if isinstance(one, dict) else [one]

    assert list(map(repr, flat(value).values())) == list(map(repr, leaves(value)))


def test_events_in_json_lines_come_to_the_lake(home_folder: Path) -> None:
    events = [
        {"who": {"id": n % 7}, "what": f"i{n % 5}", "ms": 1_700_000_000_000 + n * 86_400_000, "price": n / 4}
        for n in range(50)
    ]
    events[3]["price"] = None
    text = "\n".join(map(json.dumps, events)) + "\nnot json\n"
    (home_folder / "e.jsonl").write_text(text)
    source = {
        "path": "e.jsonl",
        "format": "jsonl",
        "columns": {"user_id": "who.id", "item_id": "what", "event_timestamp": "ms", "value": "price"},
        "time": {"unit": "ms"},
        "event_type": [{"when": "price >= 5", "type": "buy"}, {"when": "true", "type": "view"}],
    }
    data = {"events": [source], "event_types": {"buy": {"sign": 1}, "view": {"sign": 1}}}
    lake = ingest(Settings(name="clicks", home=str(home_folder), data=data))
    counts = lake.artifact.metadata["counts"]["events"]
    assert (counts["accepted"], counts["reasons"]) == (50, {"the line is no JSON object": 1})
    assert lake.artifact.metadata["event_types"] == {"buy": 30, "view": 20}
    assert lake.artifact.metadata["first"].startswith("2023-11-14")
