"""Events that were sent are in the lake once, beside those of the user's own tables."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from tests.feedback.slates import slate
from tests.ingest.shop import bring_shop

from remora.core.home import Home
from remora.events.collect import LogStatus, collect, log_status
from remora.events.compaction import Compaction
from remora.events.from_settings import intake_of, slate_log_of
from remora.ingest.lake import Lake
from remora.settings import Settings
from remora.steps.path import INGEST
from remora.workflow.ingest import ingest
from remora.workflow.plan import planned_now
from remora.workflow.step_plan import StepAction

pytestmark = pytest.mark.usefixtures("ray_cluster")
AT = datetime(2026, 1, 5, 12, tzinfo=UTC)


@pytest.fixture
def shop(home_folder: Path) -> Settings:
    return bring_shop(home_folder)


def send(shop: Settings, *events: dict[str, Any]) -> None:
    intake = intake_of(shop)
    intake.take(events).result(timeout=20)
    intake.close()


def bought(id: str, item: str = "P3", **more: Any) -> dict[str, Any]:
    return {"event_id": id, "user_id": "101", "item_id": item, "event_type": "purchase", **more}


def sent(lake: Lake) -> pl.DataFrame:
    tables = lake.tables(since=datetime(1970, 1, 1, tzinfo=UTC), columns=lake.event_schema.names)
    rows = pl.DataFrame(pl.from_arrow(pa.concat_tables(tables)))
    return rows.filter(pl.col("known_timestamp").is_not_null()).sort("event_id")


def test_what_was_sent_is_in_the_lake_with_both_times_and_its_context(shop: Settings) -> None:
    before = ingest(shop)
    send(shop, bought("a", event_timestamp=AT.isoformat(), value=2.5, context={"page": "home"}), bought("b"))
    lake = ingest(shop)
    assert lake.rows("events") == before.rows("events") + 2
    first, second = sent(lake).to_dicts()
    assert (first["user_id"], first["item_id"], first["value"], first["context"]) == (
        "101",
        "P3",
        2.5,
        '{"page": "home"}',
    )
    assert first["event_timestamp"] == AT < first["known_timestamp"]
    assert second["event_timestamp"] == second["known_timestamp"]


def test_an_event_that_is_sent_again_is_there_once_and_counted(shop: Settings) -> None:
    for _ in range(3):
        send(shop, bought("a"), bought("b"))  # each by another replica, which knows nothing of the others
    lake = ingest(shop)
    assert sent(lake)["event_id"].to_list() == ["a", "b"]
    assert lake.artifact.metadata["counts"]["events"]["reasons"]["duplicate of another row"] >= 4


def test_an_unknown_item_is_for_the_ingest_to_refuse_which_has_the_catalogue(shop: Settings) -> None:
    send(shop, bought("a", item="P99"))
    lake = ingest(shop)
    assert sent(lake).is_empty()
    assert lake.artifact.metadata["counts"]["events"]["reasons"]["unknown item"] == 1


def test_new_events_are_read_alone_and_the_lake_is_that_of_all(shop: Settings) -> None:
    send(shop, bought("a"))
    ingest(shop)
    send(shop, bought("b"), bought("c"))
    increment = ingest(shop, since_last=True)
    assert increment.artifact.metadata["build"]["full_rebuild_reason"] is None
    assert increment.artifact.metadata["build"]["files"]["read"] == 1
    assert ingest(shop).version == increment.version
    assert sent(increment)["event_id"].to_list() == ["a", "b", "c"]


def test_a_plan_says_that_the_log_has_more(shop: Settings) -> None:
    ingest(shop)
    assert planned_now(INGEST, shop).action is StepAction.UNCHANGED
    send(shop, bought("a"))
    planned = planned_now(INGEST, shop)
    assert planned.action is StepAction.RUN
    assert any("the event log has" in reason.text for reason in planned.reasons)
    ingest(shop)
    assert planned_now(INGEST, shop).action is StepAction.UNCHANGED


def test_slates_that_are_no_events_make_no_lake(shop: Settings) -> None:
    ingest(shop)
    log = slate_log_of(shop, lambda count: None)
    log(slate())
    log.close()
    assert planned_now(INGEST, shop).action is StepAction.UNCHANGED
    assert log_status(shop).logs["slates"] > 0


def test_without_a_log_there_is_nothing_to_collect(shop: Settings) -> None:
    assert (collect(shop), log_status(shop)) == (Compaction(), LogStatus())
    elsewhere = shop.model_copy(update={"home": "s3://bucket/home?region=us-east-1"})
    assert collect(elsewhere) == Compaction()
    assert not Home(shop.home).exists("events")
