"""What Iceberg tables alone have: catalogs, tags, renamed columns, and deletes that are merged when rows are read."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from pyiceberg.types import DoubleType, LongType
from tests.ingest import iceberg_deletes
from tests.ingest.batches import content_of
from tests.ingest.lake_tables import SCHEMA, IcebergShop, build_of, events, expected, rows, same, settings

from remora.core.errors import DataError, MissingInput, SettingsError
from remora.ingest.ingest import ingest


@pytest.fixture
def table(tmp_path: Path) -> IcebergShop:
    return IcebergShop(tmp_path / "tables", partitioned=True)


@pytest.fixture
def catalog(table: IcebergShop, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What a source says of the table in its catalog, which the environment describes."""
    monkeypatch.setenv("PYICEBERG_CATALOG__SHOP__URI", table.uri)
    monkeypatch.setenv("PYICEBERG_CATALOG__SHOP__WAREHOUSE", f"file://{table.folder}")
    return {"path": "shop.events", "catalog": "shop"}


def data_file(table: IcebergShop, country: str | None = "nl") -> Any:
    (file,) = (task.file for task in table.table.scan().plan_files() if task.file.partition[0] == country)
    return file


@pytest.mark.parametrize("delete", [iceberg_deletes.delete_positions, iceberg_deletes.delete_by_vector])
def test_deleted_positions_are_left_out_and_rows_keep_their_numbers(
    delete: Any, table: IcebergShop, home_folder: Path
) -> None:
    table.append(pa.concat_tables([rows(0, 3, 6, 9, 1, 4, 2), rows(12, kind="stare")]))
    ingest(settings(table, home_folder))
    table.table = delete(table.table, data_file(table), 1, 3)
    lake = ingest(settings(table, home_folder), since_last=True)
    assert "was read, and rows of it were deleted" in build_of(lake)["full_rebuild_reason"]
    assert same(events(lake), expected(0, 6, 1, 4, 2))
    (row,) = lake.quarantine().to_pylist()
    assert row["source_file"] == data_file(table).file_path.removeprefix("file://")
    assert row["source_row"] == 5
    table.append(rows(15))
    lake = ingest(settings(table, home_folder), since_last=True)
    assert build_of(lake)["rows_read"] == 1
    assert same(events(lake), expected(0, 6, 1, 4, 2, 15))
    assert len(table.table.scan().to_arrow()) == lake.rows("events") + 1


def test_equality_deletes_are_refused_with_what_to_do(table: IcebergShop, home_folder: Path) -> None:
    table.append(rows(0, 1, 2))
    iceberg_deletes.delete_equal(table.table, data_file(table), "what", "i0")
    with pytest.raises(DataError, match=r"has equality deletes .*rewrite_data_files"):
        ingest(settings(table, home_folder))


def test_a_renamed_column_has_the_values_of_its_old_name_in_older_files(table: IcebergShop, home_folder: Path) -> None:
    table.append(rows(0, 1))
    with table.table.update_schema() as update:
        update.rename_column("price", "amount")
        update.rename_column("country", "land")
    with table.table.update_schema() as update:
        update.add_column("price", DoubleType())
    names = ["who", "what", "at", "kind", "amount", "land"]
    table.append(rows(2).rename_columns(names).append_column("price", pa.array([9.0])))
    columns = {"user_id": "who", "item_id": "what", "event_timestamp": "at", "event_type": "kind", "value": "amount"}
    lake = ingest(settings(table, home_folder, {"columns": columns, "extra_columns": ["land", "price"]}))
    found = {row["item_id"]: (row["value"], row["land"], row["price"]) for row in events(lake)}
    assert found == {"i0": (0.0, "nl", None), "i1": (0.25, "côte d'or/x", None), "i2": (0.5, None, 9.0)}


def test_a_promoted_type_and_a_dropped_column(tmp_path: Path, home_folder: Path) -> None:
    schema = SCHEMA.append(pa.field("count", pa.int32())).append(pa.field("gone", pa.string()))
    table = IcebergShop(tmp_path / "tables", schema=schema)
    more = [("count", pa.array([7], pa.int32())), ("gone", pa.array(["x"]))]
    table.append(rows(0).append_column(*more[0]).append_column(*more[1]))
    with table.table.update_schema() as update:
        update.update_column("count", LongType())
        update.delete_column("gone")
    table.append(rows(1).append_column("count", pa.array([2**40])))
    lake = ingest(settings(table, home_folder, {"extra_columns": ["count"]}))
    assert [row["count"] for row in events(lake)] == [7, 2**40]
    with pytest.raises(MissingInput, match="No column 'gone'"):
        ingest(settings(table, home_folder, {"extra_columns": ["gone"]}))
    old = table.table.history()[0].snapshot_id
    lake = ingest(settings(table, home_folder, {"extra_columns": ["gone"], "snapshot": old}))
    assert [row["gone"] for row in events(lake)] == ["x"]


def rename(table: IcebergShop, *names: tuple[str, str]) -> None:
    for old, new in names:
        with table.table.update_schema() as update:
            update.rename_column(old, new)


def test_a_change_of_columns_makes_another_lake_though_no_file_changed(table: IcebergShop, home_folder: Path) -> None:
    table.append(rows(0, 1))
    before = ingest(settings(table, home_folder))
    rename(table, ("who", "x"), ("what", "who"), ("x", "what"))
    other = ingest(settings(table, home_folder), since_last=True)
    assert "was read, and rows of it were deleted" in build_of(other)["full_rebuild_reason"]
    assert other.items()["item_id"].to_pylist() == ["u0", "u1"]
    rename(table, ("who", "x"), ("what", "who"), ("x", "what"))
    assert ingest(settings(table, home_folder)).items().equals(before.items())


def test_times_without_a_zone_are_in_the_zone_of_the_source(tmp_path: Path, home_folder: Path) -> None:
    local = SCHEMA.set(2, pa.field("at", pa.timestamp("us")))
    table = IcebergShop(tmp_path / "tables", schema=local)
    table.append(pa.table(rows(0).to_pydict() | {"at": [datetime(2024, 3, 1, 1)]}, local))
    lake = ingest(settings(table, home_folder, {"time": {"timezone": "Europe/Amsterdam"}}))
    assert lake.first == datetime(2024, 3, 1, 0, tzinfo=UTC)


def test_a_tag_and_a_branch_are_snapshots(table: IcebergShop, home_folder: Path) -> None:
    table.append(rows(0))
    with table.table.manage_snapshots() as manage:
        manage.create_tag(table.version(), "january").create_branch(table.version(), "audit")
    table.append(rows(1))
    for name in ("january", "audit"):
        assert same(events(ingest(settings(table, home_folder, {"snapshot": name}))), expected(0))
    with pytest.raises(MissingInput, match=r"No snapshot, tag or branch 'june'. There is: .*january"):
        ingest(settings(table, home_folder, {"snapshot": "june"}))
    quoted = ingest(settings(table, home_folder, {"snapshot": str(table.version())}))
    assert same(events(quoted), expected(0, 1))


class TestInACatalog:
    def test_a_table_is_read_by_its_name(
        self, table: IcebergShop, catalog: dict[str, str], home_folder: Path, tmp_path: Path, caplog: Any
    ) -> None:
        table.append(rows(0, 1, 2))
        lake = ingest(settings(table, home_folder, catalog))
        assert "newest metadata" not in caplog.text
        assert same(events(lake), expected(0, 1, 2))
        assert lake.artifact.metadata["table_versions"][0]["path"] == "shop.events"
        table.append(rows(3))
        lake = ingest(settings(table, home_folder, catalog), since_last=True)
        assert build_of(lake)["rows_read"] == 1
        assert content_of(lake) == content_of(ingest(settings(table, tmp_path / "whole", catalog)))

    def test_what_is_not_there_is_named(
        self, table: IcebergShop, catalog: dict[str, str], home_folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with pytest.raises(MissingInput, match=r"No Iceberg table in the catalog shop 'shop.sales'"):
            ingest(settings(table, home_folder, catalog | {"path": "shop.sales"}))
        with pytest.raises(
            SettingsError, match=r"no Iceberg catalog 'prod'.*which has: shop.*PYICEBERG_CATALOG__PROD__URI"
        ):
            ingest(settings(table, home_folder, catalog | {"catalog": "prod"}))
        monkeypatch.setenv("PYICEBERG_CATALOG__SHOP__URI", "sqlite:////nowhere/at/all.db")
        with pytest.raises(DataError, match=r"of the Iceberg catalog shop cannot be opened"):
            ingest(settings(table, home_folder, catalog))

    @pytest.mark.parametrize("by_catalog", [True, False])
    def test_the_properties_of_a_table_run_no_code(
        self, by_catalog: bool, tmp_path: Path, home_folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        module = tmp_path / "hostile_io.py"
        module.write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
        monkeypatch.syspath_prepend(str(tmp_path))
        table = IcebergShop(tmp_path / "tables")
        table.append(rows(0))
        newest = Path(table.table.metadata_location.removeprefix("file://"))
        hostile = {"py-io-impl": "hostile_io.Io", "s3.retry-strategy-impl": "hostile_io.Retry"}
        newest.write_text(json.dumps(json.loads(newest.read_text()) | {"properties": hostile}))
        monkeypatch.setenv("PYICEBERG_CATALOG__SHOP__URI", table.uri)
        named = {"path": "shop.events", "catalog": "shop"} if by_catalog else {}
        assert ingest(settings(table, home_folder, named)).rows("events") == 1
        assert not (tmp_path / "ran").exists()


class TestByItsFolder:
    def test_the_newest_metadata_is_read_and_the_log_says_so(
        self, table: IcebergShop, home_folder: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        table.append(rows(0))
        ingest(settings(table, home_folder))
        assert "read by its newest metadata file, 00002-" in caplog.text

    def test_of_two_newest_none_is_read(self, table: IcebergShop, home_folder: Path) -> None:
        table.append(rows(0))
        newest = Path(table.table.metadata_location.removeprefix("file://"))
        shutil.copy(newest, newest.with_name("00002-other.metadata.json"))
        with pytest.raises(DataError, match=r"two newest metadata files.*only the table's catalog knows"):
            ingest(settings(table, home_folder))
        assert same(events(ingest(settings(table, home_folder, {"path": str(newest)}))), expected(0))

    def test_a_version_hint_says_which_is_current(self, table: IcebergShop, home_folder: Path) -> None:
        table.append(rows(0))
        first = Path(table.table.metadata_location.removeprefix("file://"))
        table.append(rows(1))
        shutil.copy(first, first.with_name("v7.metadata.json"))
        hint = first.with_name("version-hint.text")
        hint.write_text("7\n")
        assert same(events(ingest(settings(table, home_folder))), expected(0))
        hint.write_text("8")
        with pytest.raises(DataError, match=r"version-hint.text .* says '8', and there is no such"):
            ingest(settings(table, home_folder))

    def test_a_version_of_the_format_that_is_not_known_is_refused(self, table: IcebergShop, home_folder: Path) -> None:
        table.append(rows(0))
        newest = Path(table.table.metadata_location.removeprefix("file://"))
        newest.write_text(json.dumps(json.loads(newest.read_text()) | {"format-version": 9}))
        with pytest.raises(DataError, match="format version that PyIceberg does not read"):
            ingest(settings(table, home_folder))

    def test_a_table_that_was_moved_says_which_file_is_not_there(self, table: IcebergShop, home_folder: Path) -> None:
        table.append(rows(0))
        moved = table.folder / "moved"
        shutil.move(table.path, moved)
        with pytest.raises(DataError, match=r"name files that were moved or removed"):
            ingest(settings(table, home_folder, {"path": str(moved)}))


def test_a_table_of_format_version_1_is_read(tmp_path: Path, home_folder: Path) -> None:
    table = IcebergShop(tmp_path / "tables", partitioned=True, properties={"format-version": "1"})
    table.append(rows(*range(4)))
    ingest(settings(table, home_folder))
    table.append(rows(*range(4, 8)))
    lake = ingest(settings(table, home_folder), since_last=True)
    assert same(events(lake), expected(*range(8)))
    assert content_of(lake) == content_of(ingest(settings(table, tmp_path / "whole")))


def test_columns_of_bytes_are_not_read_and_others_of_odd_types_are_text(tmp_path: Path, home_folder: Path) -> None:
    odd = pa.schema([("raw", pa.binary()), ("more", pa.map_(pa.string(), pa.int32()))])
    table = IcebergShop(tmp_path / "tables", schema=pa.schema([*SCHEMA, *odd]))
    table.append(rows(0).append_column("raw", [[b"x"]]).append_column("more", pa.array([[("a", 1)]], odd[1].type)))
    assert ingest(settings(table, home_folder)).rows("events") == 1
    with pytest.raises(DataError, match=r"Column 'raw' of .* is large_binary"):
        ingest(settings(table, home_folder, {"extra_columns": ["raw"]}))


def test_of_a_distinct_source_the_latest_row_holds(table: IcebergShop, home_folder: Path) -> None:
    table.append(rows(0))
    table.append(pa.table(rows(0).to_pydict() | {"price": [8.0]}, SCHEMA))
    items = [
        {"path": table.path, "format": "iceberg", "distinct": True, "columns": {"item_id": "what", "price": "price"}}
    ]
    lake = ingest(settings(table, home_folder, items=items))
    assert pl.DataFrame(pl.from_arrow(lake.items()))["price"].to_list() == [8.0]
