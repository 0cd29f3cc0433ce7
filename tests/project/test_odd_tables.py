"""Tables that are odd, and tables that are none: the proposal finds a way, or says what to do."""

from __future__ import annotations

import os
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow.fs import FileSystem
from tests.project.proposing import brought, counts, proposed, written
from tests.project.shapes import world

from remora.core.errors import DataError, MissingInput, RemoraError, SettingsError, UnreadableInput

ROWS = [(f"u{user}", f"i{item}", at.isoformat(), kind) for user, item, at, kind, _ in world(600)]


def csv(folder: Path, header: str = "user_id,item_id,at,kind", name: str = "events.csv") -> str:
    return written(folder, name, [header, *(",".join(row) for row in ROWS)])


@pytest.mark.parametrize(
    ("name", "content", "error", "message"),
    [
        ("no.csv", None, MissingInput, r"No file or folder '.*no\.csv'.*Check --events; the working directory is"),
        ("e.csv", b"", UnreadableInput, "it is empty"),
        ("e.csv", b"user_id,item_id,at\n", DataError, "--events is empty: it has no row"),
        ("e.xlsx", b"PK\x03\x04abc", UnreadableInput, "an Excel file.*Export each sheet as CSV"),
        ("e.db", b"SQLite format 3\x00", UnreadableInput, "an SQLite database.*Export its tables"),
        ("e.json", b'[{"a": 1}]', UnreadableInput, "one JSON array.*Write an object a line"),
        ("e.json", b'{"a": 1,\n"b"\n', UnreadableInput, "2 of 2 rows cannot be divided into columns"),
        ("e.dat", b"ab\x00\x01\x02", UnreadableInput, "neither text nor Parquet"),
        ("e.parquet", b"PAR1abcdef", UnreadableInput, "not a sound Parquet file"),
        ("e.csv", b"abc\ndef\n", UnreadableInput, "no delimiter divides its lines.*two columns or more"),
        ("e.csv", b"a,a,b\n1,2,3\n", UnreadableInput, "names a column twice: a"),
    ],
)
def test_what_is_no_table_says_what_to_do(
    tmp_path: Path, name: str, content: bytes | None, error: type[RemoraError], message: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(error, match=f"(?s){message}"):
        proposed(tmp_path, {"events": str(tmp_path / name)})


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["user_id,item_id,price", *(f"u{n % 9},i{n % 7},{n / 3}" for n in range(90))], "the time of events.*--time"),
        (["user_id,item_id,when", *(f"u{n % 9},i{n % 7},Q{n % 4} 24" for n in range(90))], "'when' has e.g. Q0 24"),
        (["item_id,at", *(f"i{n % 7},2024-01-{n % 28 + 1:02d}" for n in range(90))], "a user's id.*--user COLUMN"),
        (["user_id,at", *(f"u{n % 7},2024-01-{n % 28 + 1:02d}" for n in range(90))], "an item's id.*--item COLUMN"),
    ],
)
def test_a_table_without_a_user_an_item_or_a_time_says_how_to_name_one(
    tmp_path: Path, rows: list[str], message: str
) -> None:
    with pytest.raises(DataError, match=f"(?s){message}"):
        proposed(tmp_path, {"events": written(tmp_path, "events.csv", rows)})


def test_a_folder_is_a_table_if_its_files_are_of_one_format(tmp_path: Path) -> None:
    folder = tmp_path / "events"
    (folder / ".ipynb_checkpoints").mkdir(parents=True)
    csv(folder, name="a.csv")
    csv(folder / ".ipynb_checkpoints", name="old.csv")
    assert counts(brought(tmp_path, proposed(tmp_path, {"events": str(folder)})))["accepted"] == len(ROWS)
    (folder / "b.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match=r"several formats \(1 csv, 1 parquet\)\. Name one file"):
        proposed(tmp_path, {"events": str(folder)})


def test_ids_that_are_numbers_in_one_file_and_text_in_another_are_text(tmp_path: Path) -> None:
    (tmp_path / "events").mkdir()
    columns = {name: [row[place] for row in ROWS] for place, name in enumerate(("user_id", "item_id", "at", "kind"))}
    numbers = pa.array([int(user[1:]) for user in columns["user_id"]])
    for name, users in (("a", numbers), ("b", numbers.cast(pa.string()))):
        pq.write_table(pa.table(columns | {"user_id": users}), tmp_path / "events" / f"{name}.parquet")
    found = proposed(tmp_path, {"events": str(tmp_path / "events")}).analysis
    assert found.roles.columns["user_id"] == "user_id"
    assert found.rows["user"].n_unique() == len(set(numbers.to_pylist()))
    pq.write_table(pa.table(columns | {"user_id": pa.array([True] * len(numbers))}), tmp_path / "events" / "c.parquet")
    with pytest.raises(DataError, match=r"'user_id' is of the type .* in another\. Write all files"):
        proposed(tmp_path, {"events": str(tmp_path / "events")})


def test_a_folder_without_a_table_or_of_a_table_format_says_so(tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "x.xlsx").write_bytes(b"PK")
    with pytest.raises(MissingInput, match=r"Not read: x\.xlsx"):
        proposed(tmp_path, {"events": str(tmp_path / "none")})


def test_a_column_that_the_user_names_is_taken(tmp_path: Path) -> None:
    events = csv(tmp_path, "a,b,c,d")
    proposal = proposed(tmp_path, {"events": events}, user_id="b", item_id="a", event_timestamp="c", event_type="d")
    (source,) = proposal.settings.data.events
    assert source.columns == {"user_id": "b", "item_id": "a", "event_timestamp": "c", "event_type": "d"}
    with pytest.raises(MissingInput, match=r"No column 'x'\. There is: a, b, c, d\. --user names it"):
        proposed(tmp_path, {"events": events}, user_id="x")


def test_a_table_whose_ids_events_do_not_name_is_left_out(tmp_path: Path) -> None:
    items = written(tmp_path, "items.csv", ["sku,name", *(f"other-{n},thing {n}" for n in range(50))])
    proposal = proposed(tmp_path, {"events": csv(tmp_path), "items": items})
    assert proposal.settings.data.items == ()
    assert any("The items table is left out: no column has the ids" in what for what, _ in proposal.doubts)
    brought(tmp_path, proposal)


def test_ids_that_are_written_otherwise_are_not_joined(tmp_path: Path) -> None:
    items = written(tmp_path, "items.csv", ["item_id,name", *(f"I{n},thing {n}" for n in range(80))])
    proposal = proposed(tmp_path, {"events": csv(tmp_path), "items": items})
    assert any("differ in case, quotes or zeros" in what for what, _ in proposal.doubts)
    brought(tmp_path, proposal)


def test_items_that_the_table_does_not_have_are_kept(tmp_path: Path) -> None:
    items = written(tmp_path, "items.csv", ["item_id,name", *(f"i{n},thing {n}" for n in range(40))])
    proposal = proposed(tmp_path, {"events": csv(tmp_path), "items": items})
    assert proposal.settings.data.unknown_items == "keep"
    assert counts(brought(tmp_path, proposal))["accepted"] == len(ROWS)


def test_columns_of_odd_types_are_no_obstacle(tmp_path: Path) -> None:
    rows = len(ROWS)
    users, items, times, kinds = zip(*ROWS, strict=True)
    table = pa.table(
        {
            "user_id": [Decimal(int(user[1:])) for user in users],
            "item_id": pa.array(items).dictionary_encode(),
            "at": times,
            "kind": kinds,
            "map": pa.array([[("page", item)] for item in items], pa.map_(pa.string(), pa.string())),
            "nested": pa.array([[{"key": "k", "value": {"int_value": 1}}]] * rows),
            "duration": pa.array([5] * rows, pa.duration("ms")),
            "bytes": pa.array([b"\xff"] * rows),
            "nothing": pa.nulls(rows),
        }
    )
    pq.write_table(table, tmp_path / "events.parquet", write_page_checksum=True)
    proposal = proposed(tmp_path, {"events": str(tmp_path / "events.parquet")})
    assert proposal.settings.data.events[0].columns.keys() == {"user_id", "item_id", "event_timestamp", "event_type"}
    assert counts(brought(tmp_path, proposal))["accepted"] == rows


def test_a_title_of_numbers_is_made_text(tmp_path: Path) -> None:
    items = written(tmp_path, "items.csv", ["item_id,title", *(f"i{n},{1900 + n}" for n in range(80))])
    proposal = proposed(tmp_path, {"events": csv(tmp_path), "items": items})
    assert (proposal.settings.data.title, proposal.settings.data.items[0].types) == ("title", {"title": "string"})
    assert brought(tmp_path, proposal).items()["title"].to_pylist()[0] == "1900"


def test_backslashes_before_quotes_are_an_escape(tmp_path: Path) -> None:
    items = written(tmp_path, "items.csv", ["item_id,title", *(f'i{n},"a \\"{n}\\", of ours"' for n in range(80))])
    proposal = proposed(tmp_path, {"events": csv(tmp_path), "items": items})
    assert proposal.settings.data.items[0].escape == "\\"
    assert brought(tmp_path, proposal).items()["title"].to_pylist()[0] == 'a "0", of ours'


def test_several_rows_of_an_item_are_distinct(tmp_path: Path) -> None:
    rows = [f"i{n},{price}" for n in range(80) for price in (5 + n, 6 + n)]
    items = written(tmp_path, "items.csv", ["item_id,price", *rows])
    proposal = proposed(tmp_path, {"events": csv(tmp_path), "items": items})
    assert proposal.settings.data.items[0].distinct
    assert brought(tmp_path, proposal).artifact.metadata["counts"]["items"]["accepted"] == 80


@pytest.mark.parametrize("first", ["%d/%m/%Y", "%m/%d/%Y"])
def test_days_and_months_are_told_apart_by_the_order_of_the_rows(tmp_path: Path, first: str) -> None:
    rows = [f"{user},{item},{at:{first}}" for user, item, at, *_ in world(600) if at.day <= 12]
    proposal = proposed(tmp_path, {"events": written(tmp_path, "events.csv", ["user_id,item_id,date", *rows])})
    assert proposal.settings.data.events[0].time.pattern == first
    assert any("can be read both ways; rows are in order of time so" in what for what, _ in proposal.doubts)


def test_a_day_that_cannot_be_told_from_a_month_is_not_sure(tmp_path: Path) -> None:
    rows = [f"u{n % 9},i{n % 7},{n % 12 + 1:02d}/{n % 11 + 1:02d}/2024" for n in range(300)]
    proposal = proposed(tmp_path, {"events": written(tmp_path, "events.csv", ["user_id,item_id,date", *rows])})
    assert ("Day first or not: 'date' can be read both ways; nothing tells it from the other") in dict(proposal.doubts)


def test_events_of_one_day_cannot_be_cut(tmp_path: Path) -> None:
    rows = [f"u{n % 9},i{n % 7},2024-01-05" for n in range(300)]
    proposal = proposed(tmp_path, {"events": written(tmp_path, "events.csv", ["user_id,item_id,date", *rows])})
    assert any("cannot be cut in four windows" in what for what, _ in proposal.doubts)


def test_rows_that_the_contract_refuses_are_counted_before_an_ingest(tmp_path: Path) -> None:
    rows = [f"{user},{item},{at},{kind}{',x' if n % 4 == 0 else ''}" for n, (user, item, at, kind) in enumerate(ROWS)]
    events = written(tmp_path, "events.csv", ["user_id,item_id,at,kind", *rows])
    doubts = proposed(tmp_path, {"events": events}).doubts
    assert any(what.startswith("25.0% of the rows of events would go to the quarantine") for what, _ in doubts)


def test_a_path_with_what_looks_like_a_reference_is_itself(tmp_path: Path) -> None:
    folder = tmp_path / "a ${HOME} b: #"
    folder.mkdir()
    proposal = proposed(tmp_path, {"events": csv(folder)})
    assert proposal.settings.data.events[0].path == os.path.join(folder, "events.csv")
    assert counts(brought(tmp_path, proposal))["accepted"] == len(ROWS)


def test_a_large_file_is_sampled_everywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("remora.project.proposal.sample.MAX_BYTES", 16_000)
    rows = [f"{user},{item},{at.isoformat()},{kind}" for user, item, at, kind, _ in world(5_000)]
    events = written(tmp_path, "events.csv", ["user_id,item_id,at,kind", *rows])
    proposal = proposed(tmp_path, {"events": events})
    sample = proposal.analysis.events.sample
    assert not sample.exact
    assert sample.raw.num_rows < 1_000
    assert abs(sample.total - 5_000) < 250
    found = proposal.analysis.rows["at"]
    assert str(found.min()).startswith("2025-03")
    assert str(found.max()).startswith("2025-05")
    assert counts(brought(tmp_path, proposal))["accepted"] == 5_000


def test_a_delta_table_is_read_as_one(tmp_path: Path) -> None:
    deltalake = pytest.importorskip("deltalake")
    users, items, times, kinds = zip(*ROWS, strict=True)
    rows = pa.table({"user_id": users, "item_id": items, "at": times, "kind": kinds})
    deltalake.write_deltalake(str(tmp_path / "events"), rows)
    proposal = proposed(tmp_path, {"events": str(tmp_path / "events")})
    assert proposal.settings.data.events[0].format == "delta"
    assert counts(brought(tmp_path, proposal))["accepted"] == len(ROWS)


def test_a_folder_in_a_store_is_read_and_its_credentials_are_not_written(
    tmp_path: Path, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"s3://lake/shop/events?endpoint_override={endpoint}&scheme=http&region=us-east-1"
    with pytest.raises(SettingsError, match=r"holds credentials.*AWS_ACCESS_KEY_ID"):
        proposed(tmp_path, {"events": url.replace("s3://", "s3://key:secret@")})
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    store, place = FileSystem.from_uri(url)
    with store.open_output_stream(f"{place}/part-0.csv") as out:
        out.write(Path(csv(tmp_path)).read_bytes())
    proposal = proposed(tmp_path, {"events": url})
    assert proposal.settings.data.events[0].path == url
    assert counts(brought(tmp_path, proposal))["accepted"] == len(ROWS)
    with pytest.raises(MissingInput, match="No file or folder 's3://lake/nowhere"):
        proposed(tmp_path, {"events": url.replace("shop/events", "nowhere")})
