"""Every source that cannot work: the message, before anything is written, and what was there is intact."""

from __future__ import annotations

import polars as pl
import pytest
from tests.ingest.shop import SHOP, shop_events

from remora.core.errors import DataError, MissingInput, SettingsError, UnreadableInput, WrongType
from remora.ingest.ingest import ingest
from remora.ingest.provenance import config_fingerprint

COLUMNS = SHOP["data"]["events"][0]["columns"]


@pytest.fixture
def refused(shop, home_folder):
    """Runs an ingest that must fail, without a cluster: nothing may have got as far as needing one."""

    def check(error: type[Exception], match: str, settings=None, **changes) -> None:
        with pytest.raises(error, match=match):
            ingest(settings or shop(**changes))
        assert not (home_folder / "lake").exists()

    return check


def test_a_missing_file_is_named(refused):
    refused(MissingInput, r"No file or directory '.*nowhere.parquet'", source={"path": "nowhere.parquet"})


def test_a_file_of_the_working_directory_is_no_file_of_the_home_and_the_message_says_so(refused, tmp_path, monkeypatch):
    (tmp_path / "here.parquet").touch()
    monkeypatch.chdir(tmp_path)
    says = r'starts at the home; .* write "\$\{PWD\}/here.parquet"'
    refused(MissingInput, says, source={"path": "here.parquet"})


def test_types_go_by_the_names_of_the_contract(refused):
    mapped = COLUMNS["user_id"]
    says = rf"'{mapped}', which is mapped to user_id: write `user_id: integer`"
    refused(SettingsError, says, source={"types": {mapped: "integer"}})


def test_an_unset_variable_in_a_path_is_pointed_out(refused):
    refused(MissingInput, "environment variable in it is not set", source={"path": "${NO_SUCH}/events.parquet"})


def test_a_directory_without_files_of_the_format_is_named(refused, home_folder):
    (home_folder / "empty").mkdir()
    (home_folder / "empty" / "notes.md").write_text("nothing")
    refused(MissingInput, r"No parquet file in the directory '.*empty'.*\.parquet", source={"path": "empty"})


def test_a_file_of_0_bytes_is_broken(refused, home_folder):
    (home_folder / "zero.parquet").touch()
    refused(UnreadableInput, r"zero.parquet.*empty \(0 bytes\)", source={"path": "zero.parquet"})


@pytest.mark.parametrize("keep", [4, 40, 1_000])
def test_a_truncated_parquet_file_is_broken(shop, refused, home_folder, keep):
    settings = shop()
    path = home_folder / "events.parquet"
    path.write_bytes(path.read_bytes()[:keep])
    refused(UnreadableInput, r"events.parquet.*not a sound Parquet file", settings=settings)


def test_a_parquet_file_with_a_damaged_footer_is_broken(shop, refused, home_folder):
    settings = shop()
    path = home_folder / "events.parquet"
    content = bytearray(path.read_bytes())
    content[-60:-20] = bytes(255 - byte for byte in content[-60:-20])
    path.write_bytes(content)
    refused(DataError, r"events.parquet", settings=settings)


def test_a_wrong_column_name_lists_the_columns_there_are(refused):
    columns = COLUMNS | {"user_id": "client"}
    refused(
        MissingInput,
        r"No column 'client'\. There is: customer, product, .*mapped to user_id",
        source={"columns": columns},
    )


def test_a_column_that_is_a_partition_folder_is_distinguished_from_one_that_is_missing(refused, home_folder):
    (home_folder / "raw" / "day=2024-01-01").mkdir(parents=True)
    shop_events().write_parquet(home_folder / "raw" / "day=2024-01-01" / "part.parquet")
    columns = COLUMNS | {"event_timestamp": "day"}
    refused(MissingInput, "No column 'day'.*partition folders", source={"path": "raw", "columns": columns})


def test_a_kept_column_that_is_not_there_is_named(refused):
    refused(MissingInput, "No column 'colour'", source={"extra_columns": ["colour"], "types": {}})


def test_a_type_for_a_column_that_is_not_there_is_named(refused):
    refused(MissingInput, "No column 'colour'.*`types`", source={"types": {"colour": "integer"}})


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("timestamp", pl.lit(True), "'timestamp'.* is bool; something readable as time is needed"),
        ("customer", pl.concat_list("product"), "'customer'.* is large_list.*; something readable as string is needed"),
        ("price", pl.concat_list("price"), "'price'.* is large_list.*; something readable as number is needed"),
        ("quantity", pl.struct("price"), "'quantity'.* is struct.*; something readable as integer is needed"),
    ],
)
def test_a_column_of_a_type_that_cannot_be_what_it_is_mapped_to_is_named(refused, column, values, message):
    refused(WrongType, message, events=shop_events().with_columns(values.alias(column)))


def test_a_mapping_that_leaves_out_a_required_column_is_a_mistake_in_the_settings(refused):
    columns = {name: column for name, column in COLUMNS.items() if name != "item_id"}
    refused(SettingsError, "does not map item_id", source={"columns": columns})


@pytest.mark.parametrize(
    ("condition", "error", "message"),
    [
        ("prize > 0", MissingInput, "No column 'prize'. There is: customer.*The condition `prize > 0`"),
        ("product > 0", SettingsError, "`product > 0`.*cannot be used"),
        ("price + 1", SettingsError, "neither true nor false"),
    ],
)
def test_a_condition_that_cannot_be_used_is_shown(refused, condition, error, message):
    refused(error, message, source={"filters": [condition]})


def test_a_feature_column_that_no_source_gives_is_named(refused):
    refused(MissingInput, "No column in items 'colour'.*data.item_columns", item_columns=["colour"])


def test_an_availability_that_is_not_boolean_is_refused(refused):
    refused(WrongType, "'price' of items is number; boolean", available="price")


def test_a_csv_file_in_another_encoding_says_what_to_set(refused, home_folder):
    (home_folder / "events.csv").write_bytes(
        "customer,product,timestamp,kind,price\n1,Caf\xe9,5,purchase,1\n".encode("latin-1")
    )
    columns = {name: column for name, column in COLUMNS.items() if column != "invoice"}
    source = {
        "path": "events.csv",
        "format": "csv",
        "columns": columns,
        "extra_columns": [],
        "types": {},
        "filters": [],
    }
    refused(UnreadableInput, r"events.csv.*utf-8.*Check `delimiter`, `quote` and `encoding`", source=source)


def test_a_csv_header_with_a_name_twice_is_broken(refused, home_folder):
    (home_folder / "events.csv").write_text("a,b,a\n1,2,3\n")
    refused(UnreadableInput, "names a column twice: a", source={"path": "events.csv", "format": "csv"})


@pytest.mark.parametrize(
    "change",
    [
        {"source": {"escape": "\\"}},
        {"source": {"time": {"pattern": "%Y%m%d"}}},
        {"users": [{"path": "events.parquet", "format": "parquet", "columns": {"user_id": "u"}, "distinct": True}]},
        {"earliest": "2001-01-01"},
        {"max_clock_skew_seconds": 60},
    ],
)
def test_whatever_changes_the_reading_changes_the_fingerprint(shop, change):
    assert config_fingerprint(shop(**change)) != config_fingerprint(shop())


def test_an_empty_events_table_is_an_error(refused):
    refused(DataError, r"The events table is empty: no row in .*events.parquet", events=shop_events()[:0])
