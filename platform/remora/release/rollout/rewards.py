"""Rewards per user and bundle from the lake, where its events say which bundle made the slate."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import polars as pl

from remora.core.errors import NotBuilt
from remora.core.home import Home
from remora.core.tables import EVENT_TIMESTAMP, EVENT_TYPE, ITEM_ID, USER_ID
from remora.feedback.attribution import EXPOSED_AT, ORPHAN, REQUEST_ID, attribute, distinct_exposures, rule_of
from remora.ingest.lake import Lake
from remora.release.rollout.sequential.ratios import UserSums
from remora.settings import Settings

BUNDLE = "bundle"


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

    A user's exposures are the impressions of the bundle's slates. The rewards are the weights of the events that belong
    to them by the settings' rule (:mod:`remora.feedback.attribution`), less those of unwanted ones. Empty where there
    is no lake, no impressions, or no column ``bundle``.
    """
    try:
        lake = Lake.open(Home(settings.home))
    except NotBuilt:
        return {}
    if lake.impression is None or not lake.days() or BUNDLE not in lake.event_schema.names or lake.last < since:
        return {}
    events = _events(lake, since)
    was_shown = pl.col(EVENT_TYPE) == lake.impression
    exposures = distinct_exposures(
        events.filter(was_shown, pl.col(BUNDLE).is_not_null()).select(
            USER_ID, ITEM_ID, REQUEST_ID, BUNDLE, pl.col(EVENT_TIMESTAMP).alias(EXPOSED_AT)
        )
    )
    acts = events.filter(~was_shown).drop(BUNDLE)
    weights = {name: kind.weight * kind.sign for name, kind in settings.data.event_types.items()}
    reward = pl.col(EVENT_TYPE).replace_strict(weights, default=0.0, return_dtype=pl.Float64)
    owned = attribute(exposures, acts, rule_of(settings)).filter(pl.col(ORPHAN).is_null())
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


def _events(lake: Lake, since: datetime) -> pl.DataFrame:
    """The columns that are needed, of the days that are; of data without requests they are null."""
    named = REQUEST_ID in lake.event_schema.names
    wanted = [USER_ID, ITEM_ID, EVENT_TYPE, EVENT_TIMESTAMP, BUNDLE, *([REQUEST_ID] if named else [])]
    tables = [pl.from_arrow(table) for table in lake.tables(since=since, columns=wanted)]
    found = pl.concat([table for table in tables if isinstance(table, pl.DataFrame)])
    return found if named else found.with_columns(pl.lit(None, pl.String).alias(REQUEST_ID))
