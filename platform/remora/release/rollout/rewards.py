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
        self._lake: str | None = None
        self._found: Mapping[str, UserSums] | None = None

    def __call__(self, settings: Settings, since: datetime) -> Mapping[str, UserSums]:
        """As :func:`outcomes`."""
        if self._feed is None or self._feed[1:] != (settings.home, since):
            if self._feed is not None:
                self._feed[0].close()
            self._feed, self._found = (OutcomeFeed(settings, since), settings.home, since), None
        feed, lake = self._feed[0], _version(settings)
        if feed.read() or lake != self._lake or self._found is None:
            self._found, self._lake = outcomes(settings, since, feed), lake
        return self._found


def outcomes(settings: Settings, since: datetime, feed: OutcomeFeed) -> Mapping[str, UserSums]:
    """Sums over users by bundle, of events at ``since`` or later.

    A user's exposures are the items of the slates that were logged; where none were, the lake's impressions that name
    a bundle. The rewards are the weights of the events that belong to them by the settings' rule
    (:mod:`remora.feedback.attribution`), less those of unwanted ones: events of the log and of the lake, each once.
    """
    shown, acts = _of_lake(settings, since)
    exposures = distinct_exposures(feed.exposures if len(feed.exposures) else shown)
    if exposures.is_empty():
        return {}
    acts = pl.concat([acts, feed.events]).unique(EVENT_ID, keep="first", maintain_order=True)
    acts = acts.filter(pl.col(EVENT_TYPE) != settings.data.impression) if settings.data.impression else acts
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


def _of_lake(settings: Settings, since: datetime) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Exposures, where impressions say by which bundle, and what users did; nothing where there is no lake."""
    kinds = {name: pl.Datetime("us", "UTC") if name == EVENT_TIMESTAMP else pl.String() for name in EVENT_COLUMNS}
    none = pl.DataFrame(schema={**kinds, BUNDLE: pl.String()})
    try:
        lake = Lake.open(Home(settings.home))
    except NotBuilt:
        lake = None
    events, impression = none, lake.impression if lake is not None else None
    if lake is not None and lake.days() and lake.last >= since:
        there = set(lake.event_schema.names)
        wanted = [name for name in (*EVENT_COLUMNS, BUNDLE) if name in there]
        tables = [pl.DataFrame(table) for table in lake.tables(since=since, columns=wanted)]
        absent = [pl.lit(None, pl.String).alias(name) for name in none.columns if name not in there]
        events = pl.concat([none, *(table.with_columns(absent).select(none.columns) for table in tables)])
    was_shown = pl.lit(False) if impression is None else pl.col(EVENT_TYPE) == impression
    shown = events.filter(was_shown, pl.col(BUNDLE).is_not_null())
    exposures = shown.select(USER_ID, ITEM_ID, REQUEST_ID, BUNDLE, pl.col(EVENT_TIMESTAMP).alias(EXPOSED_AT))
    return exposures, events.filter(was_shown.not_()).select(EVENT_COLUMNS)


def _version(settings: Settings) -> str | None:
    try:
        return Lake.open(Home(settings.home)).version
    except NotBuilt:
        return None
