"""Rewards per user and bundle: of the log and of the lake, where it is known which bundle made a slate."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import polars as pl

from remora.core.errors import NotBuilt
from remora.core.home import Home
from remora.core.tables import EVENT_ID, EVENT_TIMESTAMP, EVENT_TYPE, ITEM_ID, USER_ID
from remora.events.outcome_feed import BUNDLE, EVENT_COLUMNS, OutcomeFeed
from remora.feedback.attribution import EXPOSED_AT, ORPHAN, REQUEST_ID, attribute, distinct_exposures, rule_of
from remora.ingest.lake import Lake
from remora.release.rollout.sequential.ratios import UserSums
from remora.settings import Settings


class RewardReader:
    """:func:`outcomes`, counted again when the log has something new, or there is another lake."""

    def __init__(self) -> None:
        self._feed: tuple[OutcomeFeed, str, datetime] | None = None
        self._version: str | None = None
        self._found: Mapping[str, UserSums] | None = None

    def __call__(self, settings: Settings, since: datetime) -> Mapping[str, UserSums]:
        """As :func:`outcomes`."""
        if self._feed is None or self._feed[1:] != (settings.home, since):
            if self._feed is not None:
                self._feed[0].close()
            self._feed, self._found = (OutcomeFeed(settings, since), settings.home, since), None
        feed, lake = self._feed[0], _lake(settings)
        version = None if lake is None else lake.version
        if feed.read() or version != self._version or self._found is None:
            self._found, self._version = outcomes(settings, since, feed, lake), version
        return self._found


def outcomes(settings: Settings, since: datetime, feed: OutcomeFeed, lake: Lake | None) -> Mapping[str, UserSums]:
    """Sums over users by bundle, of events at ``since`` or later.

    A user's exposures are the items of the slates that were logged; where none were, the lake's impressions that name
    a bundle. The rewards are the weights of the events that belong to them by the settings' rule
    (:mod:`remora.feedback.attribution`), less those of unwanted ones: events of the log and of the lake, each once.
    """
    of_lake, logged = _of_lake(lake, since), feed.exposures
    impression = lake.impression if lake is not None else settings.data.impression
    was_shown = pl.lit(False) if impression is None else pl.col(EVENT_TYPE) == impression
    exposures = distinct_exposures(logged if len(logged) else _exposures(of_lake.filter(was_shown)))
    if exposures.is_empty():
        return {}
    events = pl.concat([of_lake.select(EVENT_COLUMNS), feed.events])
    acts = events.unique(EVENT_ID, keep="first", maintain_order=True).filter(was_shown.not_())
    weights = {name: kind.weight * kind.sign for name, kind in settings.data.event_types.items()}
    reward = pl.col(EVENT_TYPE).replace_strict(weights, default=0.0, return_dtype=pl.Float64)
    owned = attribute(exposures, acts.drop(EVENT_ID), rule_of(settings)).filter(pl.col(ORPHAN).is_null())
    rewards = owned.group_by(BUNDLE, USER_ID).agg(r=reward.sum())
    by_user = (
        exposures.group_by(BUNDLE, USER_ID)
        .agg(e=pl.len().cast(pl.Float64))
        .join(rewards, on=[BUNDLE, USER_ID], how="left")
        .with_columns(pl.col("r").fill_null(0.0))
    )
    sums = by_user.group_by(BUNDLE).agg(
        users=pl.len(),
        rewards=pl.col("r").sum(),
        exposures=pl.col("e").sum(),
        rewards_squared=pl.col("r").pow(2).sum(),
        exposures_squared=pl.col("e").pow(2).sum(),
        products=(pl.col("r") * pl.col("e")).sum(),
    )
    return {row.pop(BUNDLE): UserSums(**row) for row in sums.to_dicts()}


def _of_lake(lake: Lake | None, since: datetime) -> pl.DataFrame:
    """Its events with the bundles that they name; a column that it lacks is null."""
    kinds = {name: pl.Datetime("us", "UTC") if name == EVENT_TIMESTAMP else pl.String() for name in EVENT_COLUMNS}
    none = pl.DataFrame(schema={**kinds, BUNDLE: pl.String()})
    if lake is None or not lake.days() or lake.last < since:
        return none
    there = set(lake.event_schema.names)
    wanted = [name for name in none.columns if name in there]
    tables = [pl.DataFrame(table) for table in lake.tables(since=since, columns=wanted)]
    absent = [pl.lit(None, pl.String).alias(name) for name in none.columns if name not in there]
    return pl.concat([none, *(table.with_columns(absent).select(none.columns) for table in tables)])


def _exposures(impressions: pl.DataFrame) -> pl.DataFrame:
    named = impressions.filter(pl.col(BUNDLE).is_not_null())
    return named.select(USER_ID, ITEM_ID, REQUEST_ID, BUNDLE, pl.col(EVENT_TIMESTAMP).alias(EXPOSED_AT))


def _lake(settings: Settings) -> Lake | None:
    try:
        return Lake.open(Home(settings.home))
    except NotBuilt:
        return None
