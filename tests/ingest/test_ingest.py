"""The whole way from files to the lake, on a cluster, with an independent count by DuckDB."""

from __future__ import annotations

import json

import duckdb
import polars as pl
import pytest
from tests.ingest.shop import START, shop_events, shop_items

from remora.core.errors import DataError, QuarantineLimitExceeded, UnreadableInput
from remora.core.home import Home
from remora.core.tables import EVENTS
from remora.ingest.ingest import ingest
from remora.ingest.lake import Lake

pytestmark = pytest.mark.usefixtures("on_ray")


def events_of(lake: Lake) -> pl.DataFrame:
    batches = lake.events().iter_batches(batch_size=None, batch_format="pyarrow")
    frames = [pl.DataFrame(pl.from_arrow(batch)) for batch in batches]
    return pl.concat(frames).sort("event_timestamp", "source_row")


def reasons_of(lake: Lake, table: str = "events") -> dict[str, int]:
    return lake.artifact.metadata["counts"][table]["reasons"]


@pytest.fixture
def lake(shop) -> Lake:
    return ingest(shop())


def test_every_row_of_the_dirty_shop_is_accounted_for_as_duckdb_counts_it(lake):
    events = shop_events()  # noqa: F841 (read by DuckDB)
    distinct, missing, free, rows = duckdb.sql(
        """
        SELECT (SELECT count(*) FROM (SELECT DISTINCT * FROM events WHERE customer IS NOT NULL AND price > 0)),
               count(*) FILTER (customer IS NULL),
               count(*) FILTER (customer IS NOT NULL AND price <= 0),
               count(*)
        FROM events
        """
    ).fetchall()[0]
    counts = lake.artifact.metadata["counts"]["events"]
    assert (counts["rows"], counts["accepted"]) == (rows, distinct)
    assert reasons_of(lake) == {
        "filter: customer IS NOT NULL": missing,
        "filter: price > 0": free,
        "duplicate of another row": rows - missing - free - distinct,
    }
    assert lake.quarantine().num_rows == rows - distinct + 1  # and one item


def test_accepted_events_are_the_source_rows_in_the_contracts_types(lake):
    found = events_of(lake)
    assert found.schema["event_timestamp"] == pl.Datetime("us", "UTC")
    assert lake.event_schema.names[:5] == EVENTS.names
    source = shop_events().with_row_index("source_row", offset=1)
    expected = source.filter(pl.col("customer").is_not_null() & (pl.col("price") > 0))
    expected = expected.unique(expected.columns[1:], keep="first").sort("timestamp", "source_row")
    assert found["user_id"].to_list() == expected["customer"].cast(pl.Int64).cast(pl.String).to_list()
    assert found["item_id"].to_list() == expected["product"].to_list()
    assert found["value"].to_list() == expected["price"].to_list()
    assert found["quantity"].to_list() == expected["quantity"].to_list()
    assert (found["event_timestamp"].dt.timestamp("us") // 1_000_000).to_list() == expected["timestamp"].to_list()
    assert found["source_row"].to_list() == expected["source_row"].to_list()
    assert found["event_id"].n_unique() == found.height


def test_a_quarantined_row_says_where_it_stood_and_what_it_was(lake):
    events = shop_events()
    rows = [row for row in lake.quarantine().to_pylist() if row["table"] == "events"]
    for row in rows:
        source = events.row(row["source_row"] - 1, named=True)
        assert json.loads(row["row"]) == pytest.approx(source)
        assert row["source_file"].endswith("events.parquet")
        assert row["declared"] == row["reason"].startswith("filter: ")


def test_each_day_is_one_folder_and_its_rows_are_in_order(lake):
    days = lake.days()
    assert days == sorted(set(events_of(lake)["event_timestamp"].dt.date()))
    for day in days:
        files = lake.artifact.home.files(f"{lake.artifact.folder}/events/day={day.isoformat()}")
        assert len(files) == 1


def test_two_versions_of_an_item_are_kept_and_of_two_rows_of_one_version_the_last(lake):
    items = pl.DataFrame(pl.from_arrow(lake.items()))
    assert items.filter(item_id="P7")["price"].to_list() == [1.75, 99.0]
    assert items.filter(item_id="P8")["price"].to_list() == [77.0]
    assert reasons_of(lake, "items") == {"superseded by another row of the same item and instant": 1}
    assert lake.items().schema.field("tags").type.value_type == "string"


def test_without_a_users_source_the_users_are_those_of_the_events(lake):
    assert sorted(lake.users()["user_id"].to_pylist()) == sorted(set(events_of(lake)["user_id"]))
    assert lake.users()["event_timestamp"].null_count == lake.users().num_rows


def test_an_event_for_an_unknown_item_is_quarantined_or_kept_as_the_settings_say(shop):
    few = shop_items().filter(pl.col("product") != "P3")
    strict = ingest(shop(items=few, quarantine_limit=0.2))
    unknown = reasons_of(strict)["unknown item"]
    assert unknown > 0
    assert "P3" not in set(events_of(strict)["item_id"])
    lenient = ingest(shop(items=few, unknown_items="keep"))
    assert (events_of(lenient)["item_id"] == "P3").sum() == unknown
    assert "P3" in lenient.vocabulary()
    assert lenient.artifact.metadata["counts"]["items"]["from_events"] == 1


def test_unchanged_sources_reuse_the_lake_and_a_changed_row_is_a_new_version(shop):
    first, changed = ingest(shop()), ingest(shop(events=shop_events(rows=390)))
    assert changed.version != first.version
    again = ingest(shop())
    assert again.artifact.metadata == first.artifact.metadata
    assert Lake.open(first.artifact.home).version == first.version


def test_too_many_broken_rows_stop_the_run_and_leave_the_lake_as_it_was(shop, home_folder):
    before = ingest(shop())
    broken = shop_events().with_columns(
        timestamp=pl.when(pl.arange(pl.len()) % 3 == 0).then(-5).otherwise("timestamp").cast(pl.Int64)
    )
    with pytest.raises(QuarantineLimitExceeded, match=r"event_timestamp is negative.*The lake is unchanged"):
        ingest(shop(events=broken))
    assert Lake.open(Home(str(home_folder))).version == before.version
    before.artifact.verify()


def test_csv_and_parquet_of_the_same_rows_make_the_same_lake(shop, home_folder):
    columns = {"event_id": "id", "user_id": "customer", "item_id": "product", "event_timestamp": "timestamp"}
    source = {"columns": {**columns, "event_type": "kind", "value": "price"}}
    source |= {"types": {"user_id": "integer", "quantity": "integer", "customer": "integer"}}
    events = shop_events().with_columns(id=pl.int_range(pl.len()).cast(pl.String))
    from_parquet = ingest(shop(events=events, source=source))
    events.write_csv(home_folder / "events.csv")
    from_csv = ingest(shop(source=source | {"path": "events.csv", "format": "csv"}))
    assert from_csv.version != from_parquet.version
    assert events_of(from_csv).equals(events_of(from_parquet))
    assert reasons_of(from_csv) == reasons_of(from_parquet)


def test_a_mapped_event_id_that_comes_again_on_another_day_is_a_duplicate(shop):
    events = shop_events(rows=300).with_columns(id=pl.int_range(pl.len()) // 2, price=pl.lit(1.0))
    columns = {"event_id": "id", "user_id": "customer", "item_id": "product", "event_timestamp": "timestamp"}
    lake = ingest(shop(events=events, source={"columns": columns, "event_type": "purchase"}, quarantine_limit=0.6))
    found = events_of(lake)
    assert found["event_id"].n_unique() == found.height
    with_customer = events.filter(pl.col("customer").is_not_null())
    assert reasons_of(lake)["duplicate of another row"] == with_customer.height - with_customer["id"].n_unique()


def test_a_directory_of_files_is_read_in_the_order_of_its_names(shop, home_folder):
    folder = home_folder / "days"
    folder.mkdir()
    events = shop_events().with_columns(timestamp=pl.lit(START))
    events[:100].write_parquet(folder / "a.parquet", row_group_size=30)
    events[100:].with_columns(pl.col("quantity").cast(pl.Int32)).write_parquet(folder / "b.parquet")
    (folder / "_SUCCESS").touch()
    found = events_of(ingest(shop(source={"path": "days"})))
    one_file = events_of(ingest(shop(events=events)))
    assert found.drop("source_row", "event_id").equals(one_file.drop("source_row", "event_id"))


def test_events_that_are_all_filtered_away_are_an_error_with_the_reasons(shop):
    with pytest.raises(DataError, match=r"No event is left of 410 rows: .*filter: price > 1000"):
        ingest(shop(source={"filters": ["price > 1000"]}))


def test_damaged_pages_stop_the_run_and_the_lake_before_is_intact(shop, home_folder):
    before = ingest(shop())
    settings = shop(events=shop_events(rows=5_000))
    path = home_folder / "events.parquet"
    content = bytearray(path.read_bytes())
    content[200:260] = bytes(255 - byte for byte in content[200:260])
    path.write_bytes(content)
    with pytest.raises(UnreadableInput, match=r"events.parquet.*not a sound Parquet file"):
        ingest(settings)
    assert Lake.open(Home(str(home_folder))).version == before.version
