"""The contract of transforms finds what breaks it, and says in which promise."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import polars as pl
import pytest

from remora.core.errors import ComponentError
from remora.features.transforms import Transform, TransformContext
from remora.testing.transforms import TransformContract, some_events

PROMISES = [name for name in vars(TransformContract) if name.startswith("test_")]
DAY = pl.col("event_timestamp").dt.truncate("1d")


def daily(events: pl.DataFrame, *features: pl.Expr, days: int = 1) -> pl.DataFrame:
    """A row at the midnight after each day of a user."""
    found = events.sort("event_timestamp", "source_row").group_by("user_id", day=DAY).agg(*features)
    return found.with_columns(event_timestamp=pl.col("day") + pl.duration(days=days)).drop("day")


class Honest(Transform):
    entity = "user"

    @classmethod
    def transform(cls, config: Any, events: pl.DataFrame, context: TransformContext) -> pl.DataFrame:
        return daily(events, pl.len().cast(pl.Int64).alias("events"))


class SameDay(Honest):
    """Rows become valid before the day is over."""

    @classmethod
    def transform(cls, config: Any, events: pl.DataFrame, context: TransformContext) -> pl.DataFrame:
        return daily(events, pl.len().cast(pl.Int64).alias("events"), days=0)


class ShareOfAll(Honest):
    """Counts as shares of what the user will have done in the end."""

    @classmethod
    def transform(cls, config: Any, events: pl.DataFrame, context: TransformContext) -> pl.DataFrame:
        made = daily(events, pl.len().alias("n"))
        return made.with_columns(pl.col("n") / pl.col("n").sum().over("user_id"))


class LastDays(Honest):
    """Which rows there are depends on what comes: those of a user's last three days."""

    @classmethod
    def transform(cls, config: Any, events: pl.DataFrame, context: TransformContext) -> pl.DataFrame:
        made = super().transform(config, events, context).sort("user_id", "event_timestamp")
        return made.group_by("user_id").tail(3)


class DaysToTheEnd(Honest):
    """How long a user has been away in the end."""

    @classmethod
    def transform(cls, config: Any, events: pl.DataFrame, context: TransformContext) -> pl.DataFrame:
        made = super().transform(config, events, context)
        return made.with_columns(away=(context.until - pl.col("event_timestamp")).dt.total_days())


class FirstGiven(Honest):
    """The first event of a day as they happen to stand."""

    @classmethod
    def transform(cls, config: Any, events: pl.DataFrame, context: TransformContext) -> pl.DataFrame:
        found = events.group_by("user_id", day=DAY).agg(pl.col("item_id").first())
        return found.with_columns(event_timestamp=pl.col("day") + pl.duration(days=1)).drop("day")


class Ranks(Honest):
    """A user beside the others of the partition."""

    @classmethod
    def transform(cls, config: Any, events: pl.DataFrame, context: TransformContext) -> pl.DataFrame:
        made = super().transform(config, events, context)
        return made.with_columns(pl.col("events").rank("dense").over("event_timestamp").cast(pl.Int64))


class Pivoted(Honest):
    """A column for each type that happened."""

    @classmethod
    def transform(cls, config: Any, events: pl.DataFrame, context: TransformContext) -> pl.DataFrame:
        return daily(
            events, *((pl.col("event_type") == name).sum().alias(name) for name in events["event_type"].unique().sort())
        )


class CountsToday(Honest):
    """Says that its rows are of whole days, and counts today as well."""

    daily = True

    @classmethod
    def latest(
        cls, config: Any, events: pl.DataFrame, context: TransformContext, instants: pl.DataFrame
    ) -> pl.DataFrame:
        before = events.join(instants, on="user_id").filter(pl.col("event_timestamp") < pl.col("instant"))
        counts = before.group_by("user_id").agg(pl.len().cast(pl.Int64).alias("events"))
        return instants.select("user_id").join(counts, on="user_id", how="left", maintain_order="left")


class KnowsTheRest(Honest):
    """Its live row is made of all events that it is given."""

    @classmethod
    def latest(
        cls, config: Any, events: pl.DataFrame, context: TransformContext, instants: pl.DataFrame
    ) -> pl.DataFrame:
        counts = events.group_by("user_id").agg(pl.len().cast(pl.Int64).alias("events"))
        return instants.select("user_id").join(counts, on="user_id", how="left", maintain_order="left")


def broken(transform: type[Transform]) -> set[str]:
    """The promises that it does not keep."""
    contract = type("Of", (TransformContract,), {"component": transform})()
    found = set()
    for promise in PROMISES:
        try:
            getattr(contract, promise)()
        except (AssertionError, ComponentError):
            found.add(promise)
    return found


def test_one_that_keeps_all_promises_passes() -> None:
    assert len(PROMISES) == 6
    assert broken(Honest) == set()


@pytest.mark.parametrize(
    ("transform", "promise"),
    [
        (SameDay, "test_events_from_an_instant_on_change_no_row_at_or_before_it"),
        (ShareOfAll, "test_events_from_an_instant_on_change_no_row_at_or_before_it"),
        (LastDays, "test_events_from_an_instant_on_change_no_row_at_or_before_it"),
        (DaysToTheEnd, "test_events_from_an_instant_on_change_no_row_at_or_before_it"),
        (FirstGiven, "test_the_order_of_the_events_changes_nothing"),
        (Ranks, "test_a_key_has_the_same_rows_whoever_else_is_there"),
        (CountsToday, "test_the_live_state_has_the_row_of_the_instant"),
        (KnowsTheRest, "test_the_live_state_has_the_row_of_the_instant"),
        (Pivoted, "test_the_columns_are_the_same_whatever_the_events"),
    ],
)
def test_one_that_breaks_a_promise_fails_there_and_nowhere_else(transform: type[Transform], promise: str) -> None:
    assert broken(transform) == {promise}


def test_it_needs_no_pytest_and_no_plugin_of_it() -> None:
    code = "import sys; sys.modules.update(pytest=None, hypothesis=None); import remora.testing.transforms"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_events_have_ties_midnights_and_missing_values() -> None:
    events = some_events()
    assert events.select(pl.struct("user_id", "event_timestamp").is_duplicated().any()).item()
    assert (events["event_timestamp"].dt.hour() == 0).any()
    assert events["value"].null_count()
