"""What Delta tables alone have: deletion vectors, mapped columns, and features that a reader must know."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyroaring import BitMap
from tests.ingest.lake_tables import SCHEMA, DeltaShop, build_of, events, expected, rows, same, settings

from remora.core.errors import DataError
from remora.ingest import parquet
from remora.ingest.ingest import ingest

Z85 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
TYPES = {"string": "string", "double": "double", "timestamp[us, tz=UTC]": "timestamp", "timestamp[us]": "timestamp_ntz"}


def vector(*positions: int) -> dict[str, Any]:
    """Rows that are deleted, from 0, as a log holds them: https://github.com/delta-io/delta/blob/master/PROTOCOL.md"""
    raw = (1681511377).to_bytes(4, "little") + (1).to_bytes(8, "little") + bytes(4) + BitMap(positions).serialize()
    padded, text = raw + bytes(-len(raw) % 4), ""
    for begin in range(0, len(padded), 4):
        value = int.from_bytes(padded[begin : begin + 4], "big")
        text += "".join(Z85[value // 85**power % 85] for power in (4, 3, 2, 1, 0))
    return {"storageType": "i", "pathOrInlineDv": text, "sizeInBytes": len(raw), "cardinality": len(positions)}


class WrittenLog:
    """A Delta table whose log a test writes, as other engines do; its columns' names in files differ from their own."""

    format = "delta"

    def __init__(self, folder: Path, *features: str, mapping: str = "name") -> None:
        self.folder = folder / "written"
        self.path = str(self.folder)
        (self.folder / "_delta_log").mkdir(parents=True)
        fields = [
            {
                "name": field.name,
                "type": TYPES[str(field.type)],
                "nullable": True,
                "metadata": {"delta.columnMapping.id": n, "delta.columnMapping.physicalName": f"col-{n}"},
            }
            for n, field in enumerate(SCHEMA, start=1)
        ]
        named = sorted({"columnMapping", "deletionVectors", *features})
        self.protocol = {
            "minReaderVersion": 3,
            "minWriterVersion": 7,
            "readerFeatures": named,
            "writerFeatures": named,
        }
        self.table = {
            "id": "5cd34b0b-4e14-4a4b-9bb9-4c5a1a8bd1c1",
            "format": {"provider": "parquet", "options": {}},
            "schemaString": json.dumps({"type": "struct", "fields": fields}),
            "partitionColumns": ["country"],
            "configuration": {"delta.columnMapping.mode": mapping, "delta.columnMapping.maxColumnId": "6"},
            "createdTime": 1,
        }
        self.commits = 0

    def commit(self, *actions: dict[str, Any]) -> None:
        if not self.commits:
            actions = ({"protocol": self.protocol}, {"metaData": self.table}, *actions)
        log = self.folder / "_delta_log" / f"{self.commits:020d}.json"
        log.write_text("\n".join(map(json.dumps, actions)))
        self.commits += 1

    def add(self, name: str, rows: pa.Table, deleted: tuple[int, ...] = (), **options: Any) -> dict[str, Any]:
        """The action that adds a file of rows of one country, which it does not hold itself."""
        stored = rows.drop_columns("country")
        stored = stored.rename_columns([f"col-{n}" for n in range(1, stored.num_columns + 1)])
        (self.folder / name).parent.mkdir(exist_ok=True)
        pq.write_table(stored, self.folder / name, **options)
        add = {
            "path": quote(name),
            "partitionValues": {"col-6": rows["country"][0].as_py()},
            "size": (self.folder / name).stat().st_size,
            "modificationTime": 1_700_000_000_000 + self.commits,
            "dataChange": True,
            "stats": json.dumps({"numRecords": len(rows)}),
        }
        return {"add": add | ({"deletionVector": vector(*deleted)} if deleted else {})}

    def files(self) -> list[Path]:
        return sorted(self.folder.glob("*.parquet"))


@pytest.fixture
def table(tmp_path: Path) -> WrittenLog:
    return WrittenLog(tmp_path)


@pytest.mark.parametrize("name", ["a.parquet", "land=c%C3%B4te d/a+b.parquet"])
def test_rows_in_deletion_vectors_are_left_out_and_rows_keep_their_numbers(
    name: str, table: WrittenLog, home_folder: Path
) -> None:
    sound, odd = rows(0, 3, 6, 9, 12), rows(15, kind="stare")
    table.commit(table.add(name, pa.concat_tables([sound, odd]), deleted=(1, 3)))
    lake = ingest(settings(table, home_folder))
    assert same(events(lake), expected(0, 6, 12))
    (row,) = lake.quarantine().to_pylist()
    assert (row["source_file"], row["source_row"]) == (f"{table.path}/{name}", 6)
    table.commit(table.add("b.parquet", rows(1, 4), deleted=(0,)))
    lake = ingest(settings(table, home_folder), since_last=True)
    assert build_of(lake)["files"] == {"read": 1, "known": 1}
    assert build_of(lake)["rows_read"] == 1
    assert same(events(lake), expected(0, 4, 6, 12))


def test_a_vector_that_comes_later_has_all_read_again(table: WrittenLog, home_folder: Path) -> None:
    sound = rows(0, 3, 6)
    table.commit(table.add("a.parquet", sound))
    ingest(settings(table, home_folder))
    remove = {"path": "a.parquet", "deletionTimestamp": 1, "dataChange": True}
    table.commit({"remove": remove}, table.add("a.parquet", sound, deleted=(2,)))
    lake = ingest(settings(table, home_folder), since_last=True)
    assert "a.parquet was read, and rows of it were deleted" in build_of(lake)["full_rebuild_reason"]
    assert same(events(lake), expected(0, 3))


def test_row_groups_of_which_rows_are_deleted_are_splits(
    table: WrittenLog, home_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "PIECE_ROWS", 3)
    monkeypatch.setattr(parquet, "BATCH_ROWS", 2)
    numbers = list(range(0, 33, 3))
    table.commit(table.add("a.parquet", rows(*numbers), deleted=(0, 2, 3, 4, 5, 10), row_group_size=3))
    lake = ingest(settings(table, home_folder))
    assert same(events(lake), expected(*(n for i, n in enumerate(numbers) if i not in (0, 2, 3, 4, 5, 10))))


def test_times_of_96_bits_as_spark_writes_them_are_in_utc(table: WrittenLog, home_folder: Path) -> None:
    far = pa.table(rows(0).to_pydict() | {"at": [datetime(2024, 3, 1, tzinfo=UTC)]}, SCHEMA)
    table.commit(table.add("a.parquet", far, use_deprecated_int96_timestamps=True))
    lake = ingest(settings(table, home_folder, {"time": {"timezone": "America/New_York"}}))
    assert lake.first == datetime(2024, 3, 1, tzinfo=UTC)


def test_a_file_of_narrower_numbers_is_read_as_the_table_says(table: WrittenLog, home_folder: Path) -> None:
    narrow = SCHEMA.set(4, pa.field("price", pa.float32()))
    table.commit(table.add("a.parquet", rows(0, 3).cast(narrow)), table.add("b.parquet", rows(6)))
    assert same(events(ingest(settings(table, home_folder))), expected(0, 3, 6))


def test_a_file_whose_column_is_of_another_type_is_named(table: WrittenLog, home_folder: Path) -> None:
    other = pa.table(rows(0).to_pydict() | {"price": ["much"]}, SCHEMA.set(4, pa.field("price", pa.string())))
    table.commit(table.add("a.parquet", other))
    with pytest.raises(DataError, match=r"a\.parquet.*column 'price' is string in it and double in the table"):
        ingest(settings(table, home_folder))


@pytest.mark.parametrize("feature", ["typeWidening", "variantType", "fromTheFuture"])
def test_a_feature_that_is_not_known_is_named(feature: str, tmp_path: Path, home_folder: Path) -> None:
    table = WrittenLog(tmp_path, feature)
    table.commit(table.add("a.parquet", rows(0)))
    with pytest.raises(DataError, match=rf"(?s)Delta table .*{feature}.*plain Parquet"):
        ingest(settings(table, home_folder))


def test_columns_that_are_mapped_by_their_ids_are_refused(tmp_path: Path, home_folder: Path) -> None:
    table = WrittenLog(tmp_path, mapping="id")
    table.commit(table.add("a.parquet", rows(0)))
    with pytest.raises(DataError, match="maps columns by id"):
        ingest(settings(table, home_folder))


def test_a_version_whose_files_were_vacuumed_says_so(tmp_path: Path, home_folder: Path) -> None:
    table = DeltaShop(tmp_path / "tables")
    table.append(rows(0, 1))
    table.delete("i0")
    table.table.vacuum(retention_hours=0, dry_run=False, enforce_retention_duration=False)
    with pytest.raises(DataError, match=r"the table's log names it, and it is not there. A vacuum has removed it"):
        ingest(settings(table, home_folder, {"version": 1}))
    assert same(events(ingest(settings(table, home_folder))), expected(1))


def test_a_shallow_clone_of_the_same_store_is_read_and_of_another_refused(
    table: WrittenLog, tmp_path: Path, home_folder: Path
) -> None:
    action = table.add("a b.parquet", rows(0, 3))
    clone = WrittenLog(tmp_path / "clone")
    action["add"]["path"] = f"file://{table.path}/a%20b.parquet"
    clone.commit(action)
    assert same(events(ingest(settings(clone, home_folder))), expected(0, 3))
    action["add"]["path"] = "s3://elsewhere/a.parquet"
    clone.commit(action)
    with pytest.raises(DataError, match=r"a file in another store, s3://elsewhere/a\.parquet: it is a shallow clone"):
        ingest(settings(clone, home_folder))


def test_a_compacted_table_is_read_whole_and_has_the_same_events(tmp_path: Path, home_folder: Path) -> None:
    table = DeltaShop(tmp_path / "tables", partitioned=True)
    for number in range(5):
        table.append(rows(number))
    ingest(settings(table, home_folder))
    table.table.optimize.compact()
    table.table.create_checkpoint()
    lake = ingest(settings(table, home_folder), since_last=True)
    assert "was read, and is gone" in build_of(lake)["full_rebuild_reason"]
    assert same(events(lake), expected(*range(5)))
