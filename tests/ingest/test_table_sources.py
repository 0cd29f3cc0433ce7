"""Iceberg and Delta tables as sources: a version is read as its engine would read it, an increment reads new files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from tests.ingest.batches import content_of
from tests.ingest.lake_tables import (
    DeltaShop,
    IcebergShop,
    LakeTable,
    build_of,
    events,
    expected,
    rows,
    same,
    settings,
    spoil,
)
from tests.ingest.readers import ray_data_reads

from remora.core.errors import DataError, MissingInput, SettingsError
from remora.core.home import Home
from remora.ingest import source_changes
from remora.ingest.file_fingerprints import FileFingerprints, read_fingerprints
from remora.ingest.ingest import ingest
from remora.ingest.source_changes import SourceChanges
from remora.settings import Settings, installed

SHOPS = {"iceberg": IcebergShop, "delta": DeltaShop}


@pytest.fixture(params=SHOPS)
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., LakeTable]:
    """Makes an empty table of each format."""
    return lambda **options: SHOPS[request.param](tmp_path / "tables", **options)


@pytest.fixture
def table(make: Callable[..., LakeTable]) -> LakeTable:
    return make()


@pytest.fixture(params=[False, True], ids=["one file a write", "partitioned"])
def any_table(request: pytest.FixtureRequest, make: Callable[..., LakeTable]) -> LakeTable:
    return make(partitioned=request.param)


def test_rows_partition_columns_and_times_are_those_that_were_written(any_table: LakeTable, home_folder: Path) -> None:
    any_table.append(rows(*range(9)))
    any_table.append(rows(*range(9, 12)))
    lake = ingest(settings(any_table, home_folder))
    assert same(events(lake), expected(*range(12)))
    assert lake.artifact.metadata["counts"]["events"]["quarantined"] == 0


def test_the_lake_says_which_version_of_the_table_it_has(table: LakeTable, home_folder: Path) -> None:
    table.append(rows(1, 2))
    lake = ingest(settings(table, home_folder))
    (told,) = lake.artifact.metadata["table_versions"]
    assert (told["table"], told["source"], told["format"], told["path"]) == ("events", 0, table.format, table.path)
    assert told["version"] == table.version()
    assert told["committed"].startswith("20")
    assert Path(told["metadata"]).is_file()


def test_an_unchanged_table_is_not_read_again(any_table: LakeTable, home_folder: Path) -> None:
    any_table.append(rows(*range(6)))
    before = ingest(settings(any_table, home_folder))
    assert ingest(settings(any_table, home_folder)).artifact.metadata == before.artifact.metadata
    for file in any_table.files():
        spoil(file)
    again = ingest(settings(any_table, home_folder), since_last=True)
    assert again.artifact.metadata == before.artifact.metadata


def test_after_an_append_new_files_alone_are_read_and_the_lake_is_that_of_all(
    any_table: LakeTable, home_folder: Path, tmp_path: Path
) -> None:
    any_table.append(rows(*range(6)))
    ingest(settings(any_table, home_folder))
    old = {file: file.read_bytes() for file in any_table.files()}
    for more in (rows(6, 7), rows(2, 8)):
        for file in old:
            spoil(file)
        any_table.append(more)
        lake = ingest(settings(any_table, home_folder), since_last=True)
        for file, content in old.items():
            file.write_bytes(content)
        assert build_of(lake)["full_rebuild_reason"] is None
        assert build_of(lake)["files"]["known"] == len(old)
        assert build_of(lake)["rows_read"] == 2
        old = {file: file.read_bytes() for file in any_table.files()}
    whole = ingest(settings(any_table, tmp_path / "whole"))
    assert content_of(lake) == content_of(whole)
    # The event of item 2 came again.
    assert same(events(lake), expected(*range(9)))
    assert whole.artifact.metadata["table_versions"] == lake.artifact.metadata["table_versions"]


def test_after_a_delete_all_is_read_again_and_the_rows_are_gone(any_table: LakeTable, home_folder: Path) -> None:
    any_table.append(rows(*range(6)))
    ingest(settings(any_table, home_folder))
    any_table.delete("i4")
    lake = ingest(settings(any_table, home_folder), since_last=True)
    assert "was read, and is gone" in build_of(lake)["full_rebuild_reason"]
    assert same(events(lake), expected(0, 1, 2, 3, 5))


def test_an_exact_version_is_read_whatever_was_written_since(table: LakeTable, home_folder: Path) -> None:
    versions = []
    for number in range(3):
        table.append(rows(number))
        versions.append(table.version())
    for count, version in enumerate(versions, start=1):
        lake = ingest(settings(table, home_folder, {table.setting: version}))
        assert same(events(lake), expected(*range(count)))
        assert lake.artifact.metadata["table_versions"][0]["version"] == version


def test_a_plan_names_the_files_that_were_appended_and_those_whose_rows_are_gone(
    table: LakeTable, home_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source_changes, "MOST_HASHED_BYTES", 1)  # it reads no data file, whatever its size
    table.append(rows(0, 1))
    lake = ingest(settings(table, home_folder))
    known = read_fingerprints(lake.artifact)
    assert not changes(table, home_folder, known).said
    table.append(rows(2))
    found = changes(table, home_folder, known)
    assert (len(found.new), found.gone, found.changed, found.rewritten) == (1, (), (), ())
    table.delete("i0")
    assert len(changes(table, home_folder, known).gone) == 1


def changes(table: LakeTable, home: Path, known: FileFingerprints) -> SourceChanges:
    return source_changes.source_changes(settings(table, home), Home(str(home)), known)


def test_a_version_that_is_not_there_is_named_with_those_that_are(table: LakeTable, home_folder: Path) -> None:
    table.append(rows(1))
    with pytest.raises(MissingInput, match=rf"'424242'.*{table.version()}"):
        ingest(settings(table, home_folder, {table.setting: 424242}))


def test_a_column_that_was_added_later_is_null_in_older_rows(table: LakeTable, home_folder: Path) -> None:
    table.append(rows(0, 1))
    table.add_column("rank")
    table.append(rows(2).append_column("rank", pa.array([2.5])))
    lake = ingest(settings(table, home_folder, {"extra_columns": ["rank"]}))
    assert [row["rank"] for row in events(lake)] == [None, None, 2.5]


def test_a_column_that_is_not_there_is_named_with_those_that_are(table: LakeTable, home_folder: Path) -> None:
    table.append(rows(0))
    with pytest.raises(MissingInput, match=r"No column 'shelf'. There is: who, what, at, kind, price, country"):
        ingest(settings(table, home_folder, {"extra_columns": ["shelf"]}))


def test_the_quarantine_names_the_data_file_and_the_row_in_it(table: LakeTable, home_folder: Path) -> None:
    table.append(pa.concat_tables([rows(0, 1), rows(2, kind="stare"), rows(3)]).combine_chunks())
    lake = ingest(settings(table, home_folder))
    (row,) = lake.quarantine().to_pylist()
    (file,) = table.files()
    assert (row["source_file"], row["source_row"]) == (str(file), 3)
    assert row["reason"] == "event_type is not declared"
    assert '"what":"i2"' in row["row"]


@pytest.mark.parametrize("partitioned", [False, True])
def test_ray_data_reads_the_same(
    make: Callable[..., LakeTable], partitioned: bool, home_folder: Path, tmp_path: Path, ray_cluster: None
) -> None:
    table = make(partitioned=partitioned)
    table.append(rows(*range(20)))
    table.append(rows(*range(20, 25), kind="stare"))
    here = ingest(settings(table, home_folder))
    with ray_data_reads():
        there = ingest(settings(table, tmp_path / "ray"))
    assert content_of(here) == content_of(there)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.lists(st.integers(0, 12), min_size=1, max_size=4)),
        st.tuples(st.just("delete"), st.integers(0, 12)),
        st.tuples(st.just("ingest"), st.just(0)),
    ),
    min_size=1,
    max_size=8,
)


@pytest.mark.parametrize("format", SHOPS)
@hypothesis_settings(max_examples=8)
@given(steps=STEPS, partitioned=st.booleans())
def test_whatever_was_written_the_lake_has_the_rows_of_the_table(
    format: str, steps: list[tuple[str, Any]], partitioned: bool
) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        table = SHOPS[format](folder / "tables", partitioned=partitioned)
        table.append(rows(99))
        held = {99}
        for what, value in steps:
            if what == "append":
                table.append(rows(*value))
                held |= set(value)
            elif what == "delete":
                table.delete(f"i{value}")
                held.discard(value)
            else:
                ingest(settings(table, folder / "home"), since_last=True)
        lake = ingest(settings(table, folder / "home"), since_last=True)
        assert same(events(lake), expected(*held))
        assert content_of(lake) == content_of(ingest(settings(table, folder / "whole")))


def test_items_and_users_may_be_tables_too(make: Callable[..., LakeTable], home_folder: Path) -> None:
    table = make(partitioned=True)
    table.append(rows(0, 1, 2))
    described = {"path": table.path, "format": table.format, "distinct": True}
    lake = ingest(
        settings(
            table,
            home_folder,
            items=[described | {"columns": {"item_id": "what", "price": "price"}}],
            users=[described | {"columns": {"user_id": "who", "country": "country"}}],
        )
    )
    assert lake.items()["price"].to_pylist() == [0.0, 0.25, 0.5]
    assert lake.users()["country"].to_pylist() == ["nl", "côte d'or/x", None]
    assert [one["table"] for one in lake.artifact.metadata["table_versions"]] == ["events", "users", "items"]


def test_a_table_in_s3_is_read_with_the_credentials_of_its_url(tmp_path: Path, endpoint: str) -> None:
    url = f"s3://key:secret@lake/{{}}?endpoint_override={endpoint}&scheme=http&region=us-east-1"
    options = {
        "aws_access_key_id": "key",
        "aws_secret_access_key": "secret",
        "aws_endpoint": f"http://{endpoint}",
        "aws_region": "us-east-1",
        "aws_allow_http": "true",
    }
    delta = DeltaShop(tmp_path, url="s3://lake/delta", storage_options=options, partitioned=True)
    properties = {
        "warehouse": "s3://lake/warehouse",
        "s3.endpoint": f"http://{endpoint}",
        "s3.access-key-id": "key",
        "s3.secret-access-key": "secret",
        "s3.region": "us-east-1",
    }
    iceberg = IcebergShop(tmp_path / "iceberg", catalog_properties=properties, partitioned=True)
    for table, path in ((delta, "delta"), (iceberg, "warehouse/shop/events")):
        table.append(rows(*range(5)))
        home = tmp_path / table.format
        lake = ingest(settings(table, home, {"path": url.format(path)}))
        table.append(rows(5))
        lake = ingest(settings(table, home, {"path": url.format(path)}), since_last=True)
        assert build_of(lake)["rows_read"] == 1
        assert same(events(lake), expected(*range(6)))
        assert "secret" not in str(lake.artifact.metadata)


@pytest.mark.parametrize(("package", "extra"), [("pyiceberg", "iceberg"), ("deltalake", "delta")])
def test_without_the_package_the_error_says_how_to_install_it(
    package: str, extra: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = SHOPS[extra](tmp_path / "tables")
    table.append(rows(1))
    monkeypatch.setattr(installed, "find_spec", lambda name: None)
    with pytest.raises(SettingsError, match=rf"needs the package {package}.*pip install 'remora\[{extra}\]'"):
        ingest(settings(table, tmp_path / "home"))


class TestWhatIsNoTable:
    @pytest.fixture(params=SHOPS)
    def source(self, request: pytest.FixtureRequest) -> dict[str, Any]:
        return {"format": request.param}

    def refused(self, source: dict[str, Any], path: Path, home: Path) -> str:
        described = {"path": str(path), "columns": {"user_id": "a", "item_id": "b", "event_timestamp": "c"}}
        with pytest.raises(DataError) as refusal:
            ingest(settings_of(described | source, home))
        return str(refusal.value)

    def test_nothing_there(self, source: dict[str, Any], tmp_path: Path) -> None:
        assert "Check `path` of the source" in self.refused(source, tmp_path / "nowhere", tmp_path / "home")
        assert not (tmp_path / "nowhere").exists()

    def test_a_folder_of_files(self, source: dict[str, Any], tmp_path: Path) -> None:
        (tmp_path / "raw").mkdir()
        (tmp_path / "raw/a.parquet").write_bytes(b"PAR1")
        assert "is not a" in self.refused(source, tmp_path / "raw", tmp_path / "home")

    def test_a_file(self, source: dict[str, Any], tmp_path: Path) -> None:
        (tmp_path / "a.parquet").write_bytes(b"PAR1")
        assert "table" in self.refused(source, tmp_path / "a.parquet", tmp_path / "home")

    def test_a_log_or_metadata_that_is_damaged(self, source: dict[str, Any], tmp_path: Path) -> None:
        for name in ("_delta_log/00000000000000000000.json", "metadata/00000-a.metadata.json"):
            (tmp_path / name).parent.mkdir()
            (tmp_path / name).write_text('{"format-version": 2, "cut')
        assert "cannot be read" in self.refused(source, tmp_path, tmp_path / "home")


def settings_of(source: dict[str, Any], home: Path) -> Settings:
    from remora.settings import Settings

    return Settings(
        name="x", home=str(home), data={"events": [source | {"event_type": "buy"}], "event_types": {"buy": {}}}
    )


def test_a_data_file_that_is_damaged_or_gone_is_named(any_table: LakeTable, home_folder: Path) -> None:
    any_table.append(rows(*range(3)))
    file = any_table.files()[0]
    content = spoil(file)
    with pytest.raises(DataError, match=file.name):
        ingest(settings(any_table, home_folder))
    file.unlink()
    with pytest.raises(DataError, match=rf"{file.name}.*and it is not there"):
        ingest(settings(any_table, home_folder))
    file.write_bytes(content)
    assert ingest(settings(any_table, home_folder)).rows("events") == 3


def test_a_table_without_rows_is_refused(table: LakeTable, home_folder: Path) -> None:
    with pytest.raises(DataError, match=r"has no (row|snapshot)"):
        ingest(settings(table, home_folder))
    table.append(rows(1))
    table.delete("i1")
    with pytest.raises(DataError, match="has no row"):
        ingest(settings(table, home_folder))
