"""Items and users that were sent are versions in the lake, beside those of the user's own tables."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tests.ingest.shop import SHOP, bring_shop

from remora.core.home import Home
from remora.events.entity_update import EntityKind, EntityUpdate
from remora.events.from_settings import log_of
from remora.features.profiles import item_catalogue, user_profile
from remora.ingest.lake import Lake
from remora.ingest.schema import DELETED
from remora.settings import Settings
from remora.steps.path import INGEST
from remora.workflow.ingest import ingest
from remora.workflow.plan import planned_now
from remora.workflow.step_plan import StepAction

pytestmark = pytest.mark.usefixtures("ray_cluster")
AT = datetime(2026, 1, 5, 12, 0, 0, 250_001, tzinfo=UTC)


@pytest.fixture
def shop(home_folder: Path) -> Settings:
    return bring_shop(home_folder)


def send(shop: Settings, id: str, columns: dict[str, Any] | None, second: int = 0, kind: EntityKind = "items") -> None:
    log = log_of(shop, kind)
    log.append([EntityUpdate(kind=kind, id=id, instant=at(second), columns=columns).encode()])
    log.seal()


def at(second: int) -> datetime:
    return AT + timedelta(seconds=second)


def versions(lake: Lake, id: str) -> list[dict[str, Any]]:
    rows = pl.DataFrame(pl.from_arrow(lake.items())).filter(pl.col("item_id") == id)
    return rows.sort("event_timestamp", nulls_last=False).to_dicts()


def reasons(lake: Lake, table: str = "items") -> dict[str, int]:
    found: dict[str, int] = lake.artifact.metadata["counts"][table]["reasons"]
    return found


def test_a_new_item_is_there_with_its_columns_in_their_types(shop: Settings) -> None:
    before = ingest(shop)
    odd = 'odd/ id "%2F" é\t\n'
    send(shop, odd, {"title": "", "tags": ["red wine", "b|c,d"], "price": 1.234})
    send(shop, "bare", {})
    lake = ingest(shop)
    assert lake.vocabulary().rows([odd, "bare"]).shape == (2,)
    [version] = versions(lake, odd)
    assert version == {
        "item_id": odd, "event_timestamp": AT, "title": "", "tags": ["red wine", "b|c,d"], "price": 1.234,
        DELETED: False,
    }  # fmt: skip
    [bare] = versions(lake, "bare")
    assert (bare["title"], bare["tags"], bare["price"]) == (None, None, None)
    assert lake.rows("items") == before.rows("items") + 2
    assert lake.findings == before.findings
    assert reasons(lake) == reasons(before)
    assert [field.type for field in lake.item_schema if field.name != DELETED] == [f.type for f in before.item_schema]


def test_a_changed_item_has_both_versions(shop: Settings) -> None:
    old = versions(ingest(shop), "P3")
    send(shop, "P3", {"title": "Thing 3, new", "price": 5})
    assert [(row["title"], row["tags"], row["price"]) for row in versions(ingest(shop), "P3")] == [
        *((row["title"], row["tags"], row["price"]) for row in old), ("Thing 3, new", None, 5.0),
    ]  # fmt: skip


def test_a_deleted_item_is_out_of_the_catalogue_from_then_on_and_keeps_what_it_was(shop: Settings) -> None:
    send(shop, "P3", {"title": "Three", "price": 5.0})
    send(shop, "P3", None, second=1)
    send(shop, "P3", None, second=2)
    send(shop, "P4", None)
    send(shop, "P4", {"title": "back"}, second=1)
    send(shop, "never", None)
    lake = ingest(shop)
    assert [(row["title"], row["price"], row[DELETED]) for row in versions(lake, "P3")][-3:] == [
        ("Three", 5.0, False), ("Three", 5.0, True), ("Three", 5.0, True),
    ]  # fmt: skip
    assert [row["title"] for row in versions(lake, "P4")] == ["Thing 4", "Thing 4", "back"]
    assert [row["title"] for row in versions(lake, "never")] == [None]
    catalogue = pl.DataFrame(pl.from_arrow(item_catalogue(lake.items(), shop.data, [])))
    there = catalogue.group_by("item_id").agg(pl.col("in_catalogue").sort_by("event_timestamp").last())
    assert dict(there.filter(pl.col("item_id").is_in(["P3", "P4", "P5", "never"])).iter_rows()) == {
        "P3": None, "P4": True, "P5": True, "never": None,
    }  # fmt: skip


def test_users_are_changed_and_forgotten_in_the_same_way(home_folder: Path) -> None:
    (home_folder / "users.csv").write_text("id,age,since,tags\n101,30,2010-01-01,a b\n102,31,2010-01-01,\n")
    source = {
        "path": str(home_folder / "users.csv"),
        "format": "csv",
        "types": {"age": "integer", "tags": "list[string]"},
        "columns": {"user_id": "id", "age": "age", "tags": "tags", "event_timestamp": "since"},
    }
    shop = bring_shop(home_folder, users=[source], user_columns=["age", "tags"])
    send(shop, "101", {"age": 2**53 + 1}, kind="users")
    send(shop, "101", None, second=1, kind="users")
    send(shop, "new", {"tags": ["x y"]}, kind="users")
    lake = ingest(shop)
    profile = user_profile(lake.users(), shop.data)
    assert profile is not None
    rows = pl.DataFrame(pl.from_arrow(profile)).filter(pl.col("user_id").is_in(["101", "new"]))
    assert [row[1:] for row in rows.sort("user_id", "event_timestamp").iter_rows()] == [
        (datetime(2010, 1, 1, tzinfo=UTC), 30, ["a", "b"]), (at(0), 2**53 + 1, None), (at(1), None, None),
        (at(0), None, ["x y"]),
    ]  # fmt: skip


def test_a_source_of_one_row_an_id_keeps_it_beside_what_was_sent(shop: Settings) -> None:
    distinct = [one.model_copy(update={"distinct": True}) for one in shop.data.items]
    shop = shop.model_copy(update={"data": shop.data.model_copy(update={"items": tuple(distinct)})})
    before = versions(ingest(shop), "P7")
    send(shop, "P7", {"title": "Seven"})
    found = versions(ingest(shop), "P7")
    assert [row["title"] for row in found] == [*(row["title"] for row in before), "Seven"]


def test_new_ones_make_another_lake_by_an_increment_too_and_a_plan_says_so(shop: Settings) -> None:
    send(shop, "P2", {})
    first = ingest(shop)
    assert planned_now(INGEST, shop).action is StepAction.UNCHANGED
    send(shop, "P3", {"title": "x"})
    planned = planned_now(INGEST, shop)
    assert planned.action is StepAction.RUN
    assert any("the event log has" in reason.text for reason in planned.reasons)
    second = ingest(shop, since_last=True)
    assert second.version != first.version
    assert planned_now(INGEST, shop).action is StepAction.UNCHANGED
    send(shop, "P3", None, second=9)
    third = ingest(shop, since_last=True)
    assert third.artifact.metadata["build"]["full_rebuild_reason"] is None
    assert third.artifact.metadata["build"]["days"]["merged"] == 0
    assert [row[DELETED] for row in versions(third, "P3")] == [None, False, True]
    assert ingest(shop).version == third.version


def test_events_of_a_new_item_are_refused_before_it_and_taken_after(shop: Settings) -> None:
    from tests.events.test_collect import bought
    from tests.events.test_collect import send as send_events

    send_events(shop, bought("a", item="N1"))
    send(shop, "N0", {})
    lake = ingest(shop)
    assert reasons(lake, "events")["unknown item"] == 1
    send(shop, "N1", {"title": "N"})
    lake = ingest(shop, since_last=True)
    assert "unknown item" not in reasons(lake, "events")


def test_a_column_whose_type_has_changed_since_is_read_as_it_is_now_or_null(shop: Settings) -> None:
    send(shop, "N1", {"price": 2.5, "gone": "no such column any more", "title": 7})
    send(shop, "N2", {"price": "dear", "title": "two"})
    lake = ingest(shop)
    assert versions(lake, "N1")[0]["title"] == "7"
    assert [(row["price"], row["title"]) for row in versions(lake, "N2")] == [(None, "two")]
    assert "price cannot be read as number" not in reasons(lake)


def test_without_a_table_of_items_what_was_sent_is_collected_and_the_lake_is_that_of_the_events(
    home_folder: Path,
) -> None:
    bring_shop(home_folder)
    data = SHOP["data"] | {"items": [], "title": None, "category": None, "item_columns": []}
    shop = Settings(name="shop", home=str(home_folder), data=data)
    before = ingest(shop)
    send(shop, "N1", {})
    assert planned_now(INGEST, shop).action is StepAction.UNCHANGED
    assert ingest(shop).version == before.version
    assert Home(shop.home).files("events/items") == ["00000000.parquet"]
