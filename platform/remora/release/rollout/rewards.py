"""Rewards per user and bundle from the lake, where its events say which bundle made the slate."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import polars as pl

from remora.core.errors import NotBuilt
from remora.core.home import Home
from remora.core.tables import EVENT_TIMESTAMP, EVENT_TYPE, USER_ID
from remora.ingest.lake import Lake
from remora.release.rollout.sequential.ratios import UserSums
from remora.settings import Settings

BUNDLE, REQUEST = "bundle", "request_id"


class LakeRewards:
    """:func:`outcomes`, read again when there is another lake."""

    def __init__(self) -> None:
        self._of: tuple[str, datetime] | None = None
        self._found: Mapping[str, UserSums] = {}

    def __call__(self, settings: Settings, since: datetime) -> Mapping[str, UserSums]:
        """As :func:`outcomes`."""
        try:
            of = (Lake.open(Home(settings.home)).version, since)
        except NotBuilt:
            return {}
        if of != self._of:
            self._of, self._found = of, outcomes(settings, since)
        return self._found


def outcomes(settings: Settings, since: datetime) -> Mapping[str, UserSums]:
    """Sums over users by bundle, of events at ``since`` or later.

    A user's exposures are the impressions of the bundle's slates; the rewards are the events' weights, less those of
    unwanted ones. An event that names no bundle counts for that of the impression with its request_id. Empty where
    there is no lake, no impressions, or no column ``bundle``.
    """
    try:
        lake = Lake.open(Home(settings.home))
    except NotBuilt:
        return {}
    if lake.impression is None or not lake.days() or BUNDLE not in lake.event_schema.names or lake.last < since:
        return {}
    events = _events(lake, since)
    shown = pl.col(EVENT_TYPE) == lake.impression
    named = _with_bundle(events, shown)
    weights = {name: kind.weight * kind.sign for name, kind in settings.data.event_types.items()}
    reward = pl.col(EVENT_TYPE).replace_strict(weights, default=0.0, return_dtype=pl.Float64)
    by_user = (
        named.group_by(BUNDLE, USER_ID)
        .agg(r=reward.filter(~shown).sum(), e=shown.sum().cast(pl.Float64))
        .filter(pl.col("e") > 0)
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


def _events(lake: Lake, since: datetime) -> pl.DataFrame:
    """The columns that are needed, of the days that are."""
    optional = [name for name in (REQUEST,) if name in lake.event_schema.names]
    wanted = [USER_ID, EVENT_TYPE, EVENT_TIMESTAMP, BUNDLE, *optional]
    tables = [pl.from_arrow(table) for table in lake.tables(since=since, columns=wanted)]
    frames = [table for table in tables if isinstance(table, pl.DataFrame)]
    return pl.concat(frames)


def _with_bundle(events: pl.DataFrame, shown: pl.Expr) -> pl.DataFrame:
    if REQUEST in events.columns:
        made = events.filter(shown & pl.col(BUNDLE).is_not_null() & pl.col(REQUEST).is_not_null())
        made = made.select(REQUEST, pl.col(BUNDLE).alias("made_by")).unique(REQUEST, keep="first", maintain_order=True)
        events = events.join(made, on=REQUEST, how="left").with_columns(pl.coalesce(BUNDLE, "made_by").alias(BUNDLE))
    return events.filter(pl.col(BUNDLE).is_not_null())
