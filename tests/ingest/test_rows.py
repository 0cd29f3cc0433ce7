"""Ray Data and this process read the same rows; few rows this process reads, many Ray Data."""

from __future__ import annotations

import shutil
from pathlib import Path

import pyarrow as pa
import pytest
from tests.ingest.batches import Exports, content_of, event
from tests.ingest.readers import ray_data_reads
from tests.ingest.shop import bring_shop

from remora.core.errors import UnreadableInput
from remora.core.home import Home
from remora.ingest import rows
from remora.ingest.ingest import ingest
from remora.ingest.inspect import TableSources, inspect_table, locate_table
from remora.ingest.ray_rows import RayRows
from remora.ingest.rows import LocalRows, Rows, empty_rows
from remora.settings import Settings

NUMBERS = [pa.table({"n": [1, 2, 2]}), pa.table({"n": [3, 1]})]
LETTERS = [pa.table({"n": [7]})]


def doubled(table: pa.Table) -> pa.Table:
    return pa.table({"n": [2 * n for n in table["n"].to_pylist()]})


def size(table: pa.Table) -> pa.Table:
    return pa.table({"n": [len(table)]})


def values(found: Rows) -> list[int]:
    return sorted(n for table in found.tables() for n in table["n"].to_pylist())


@pytest.fixture(params=[LocalRows, RayRows])
def few(request: pytest.FixtureRequest, ray_cluster: None) -> Rows:
    return request.param().plus([lambda: NUMBERS[:1], lambda: NUMBERS[1:]], doubled)


class TestRows:
    def test_a_function_is_called_with_every_row_once(self, few: Rows) -> None:
        assert values(few) == [2, 2, 4, 4, 6]
        assert values(few.map(doubled)) == [4, 4, 8, 8, 12]

    def test_rows_that_are_added_go_through_their_own_function_alone(self, few: Rows) -> None:
        more = few.plus([lambda: LETTERS], lambda table: table)
        assert values(more) == [2, 2, 4, 4, 6, 7]
        assert values(few) == [2, 2, 4, 4, 6]

    def test_rows_of_one_value_come_together(self, few: Rows) -> None:
        for partitions in (1, 2):
            seen = [set(t["n"].to_pylist()) for t in few.grouped("n", partitions).tables() if len(t)]
            assert sum(map(len, seen)) == len(set.union(*seen)) == 3
        assert values(few.grouped("n", 1).map(size)) == [5]

    def test_what_is_materialized_is_read_once(self, few: Rows, tmp_path: Path) -> None:
        def noted(table: pa.Table) -> pa.Table:
            with (tmp_path / "read").open("a") as file:
                file.write("x" * len(table))
            return table

        kept = few.map(noted).materialize()
        assert values(kept) == values(kept) == [2, 2, 4, 4, 6]
        assert (tmp_path / "read").read_text() == "x" * 5

    def test_a_task_that_fails_says_so(self, few: Rows) -> None:
        def broken() -> list[pa.Table]:
            raise UnreadableInput("a.csv", "it is gone")

        with pytest.raises(Exception, match="it is gone"):
            values(few.plus([broken], doubled))


def test_the_lake_of_the_dirty_shop_is_the_same_whoever_reads_it(home_folder: Path, ray_cluster: None) -> None:
    settings = bring_shop(home_folder)

    def made() -> tuple[dict, dict]:
        lake = ingest(settings)
        files = {path: entry["sha256"] for path, entry in lake.artifact.metadata["files"].items()}
        del files["fingerprints/files.parquet"]  # says when the sources were read
        return content_of(lake), files

    here = made()
    shutil.rmtree(home_folder / "lake")
    with ray_data_reads():
        assert made() == here


def events_of(settings: Settings) -> TableSources:
    return inspect_table("events", locate_table(settings.data.events, Home(settings.home)))


def test_this_process_reads_few_rows_and_ray_data_many_rows_or_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exports = Exports(tmp_path)
    exports.write([event(id="1"), event(id="2")])
    exports.write([event(id="3")])
    table = events_of(exports.settings(tmp_path / "home"))
    monkeypatch.setattr(rows, "MAX_LOCAL_ROWS", 3)
    assert isinstance(empty_rows(table), LocalRows)
    monkeypatch.setattr(rows, "MAX_LOCAL_ROWS", 2)
    assert isinstance(empty_rows(table), RayRows)
    monkeypatch.setattr(rows, "MAX_LOCAL_ROWS", 3)
    monkeypatch.setattr(rows, "MAX_LOCAL_BYTES", sum(file.stat().st_size for file in exports.written) - 1)
    assert isinstance(empty_rows(table), RayRows)
