"""Which exposure an event belongs to: one rule for training rows, rollouts, and whatever else learns from outcomes.

An exposure is one item of one slate. An event that names the request which showed its item to its user belongs to that;
any other to the user's last (or first) exposure of the item before it, within the rule's horizon.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

import polars as pl

from remora.core.tables import EVENT_TIMESTAMP, EVENT_TYPE, ITEM_ID, KNOWN_TIMESTAMP, USER_ID
from remora.settings import Settings

REQUEST_ID, EXPOSED_AT = "request_id", "exposed_at"
ORPHAN = "orphan"
"""Column of events: why one belongs to no exposure, null where it belongs to one."""

NOT_EXPOSED = "the user was never shown the item"
BEFORE = "it happened before the item was shown"
LATE = "it happened after the horizon"
OTHER_REQUEST = "the request that it names did not show the item to the user"

CAUSES = (NOT_EXPOSED, BEFORE, LATE, OTHER_REQUEST)
"""All of them; each orphan has the first that applies, from the last one on."""

_PAIR = (USER_ID, ITEM_ID)


@dataclass(frozen=True, kw_only=True)
class AttributionRule:
    """``horizon``: an event this soon after an exposure may belong to it; ``horizons`` say otherwise for event types.
    ``exposure``: to which of several an event belongs that names no request. ``by``: with ``request`` such an event
    belongs to none."""

    horizon: timedelta
    horizons: Mapping[str, timedelta] = field(default_factory=dict)
    exposure: Literal["first", "last"] = "last"
    by: Literal["request", "request_or_item"] = "request_or_item"

    @property
    def longest(self) -> timedelta:
        """Of all horizons."""
        return max((self.horizon, *self.horizons.values()))

    def of_type(self) -> pl.Expr:
        """Each event's horizon."""
        if not self.horizons:
            return pl.lit(self.horizon, pl.Duration("us"))
        return pl.col(EVENT_TYPE).replace_strict(
            dict(self.horizons), default=self.horizon, return_dtype=pl.Duration("us")
        )


def attribute(exposures: pl.DataFrame, events: pl.DataFrame, rule: AttributionRule) -> pl.DataFrame:
    """``events`` in their order with the columns of the exposure that each belongs to, and :data:`ORPHAN`.

    ``exposures``: user_id, item_id, request_id (or null), exposed_at (UTC, µs), and any others, which are carried; of
    those that a request made twice the first counts. ``events``: user_id, item_id, event_type, event_timestamp, perhaps
    request_id, and others. A column that both have is the event's.
    """
    carried = [name for name in exposures.columns if name not in (*_PAIR, REQUEST_ID) and name not in events.columns]
    distinct = distinct_exposures(exposures)
    shown = distinct.select(*_PAIR, pl.col(REQUEST_ID).alias("_shown"), *carried).sort(EXPOSED_AT, "_shown")
    asked = events.with_row_index("_row").with_columns(
        pl.col(REQUEST_ID).alias("_named") if REQUEST_ID in events.columns else pl.lit(None, pl.String).alias("_named"),
        rule.of_type().alias("_horizon"),
    )
    named = asked.join(shown, left_on=[*_PAIR, "_named"], right_on=[*_PAIR, "_shown"], how="inner").with_columns(
        pl.col("_named").alias("_shown")
    )
    rest = asked.join(named.select("_row"), on="_row", how="anti")
    # An event of which no exposure is meant keeps the nearest, so that it can be said why.
    others = _nearest(rest, shown, rule)
    found = pl.concat([named.select(others.columns), others]).sort("_row")
    at, moment = pl.col(EXPOSED_AT), pl.col(EVENT_TIMESTAMP)
    unnamed = pl.col("_named").is_null()
    # A request that is named and did not show the item: the item may have been shown by another.
    astray = ~unnamed & (pl.col("_named") != pl.col("_shown").fill_null(""))
    strict = pl.lit(rule.by == "request")
    cause = (
        pl.when(strict & (unnamed | astray))
        .then(pl.lit(OTHER_REQUEST))
        .when(at.is_null() & astray)
        .then(pl.lit(OTHER_REQUEST))
        .when(at.is_null())
        .then(pl.lit(NOT_EXPOSED))
        .when(at > moment)
        .then(pl.lit(BEFORE))
        .when(moment >= at + pl.col("_horizon"))
        .then(pl.lit(LATE))
    )
    found = found.with_columns(cause.alias(ORPHAN), pl.col("_shown").alias("_request"))
    kept = [pl.when(pl.col(ORPHAN).is_null()).then(pl.col(name)).alias(name) for name in (*carried, "_request")]
    rest_columns = [name for name in events.columns if name != REQUEST_ID]
    return found.with_columns(kept).select(*rest_columns, pl.col("_request").alias(REQUEST_ID), *carried, ORPHAN)


def distinct_exposures(exposures: pl.DataFrame) -> pl.DataFrame:
    """The first of those that a request made of one item to one user; all that name no request."""
    named = pl.col(REQUEST_ID).is_not_null()
    ordered = exposures.filter(named).sort(EXPOSED_AT, maintain_order=True)
    first = ordered.unique([*_PAIR, REQUEST_ID], keep="first", maintain_order=True)
    return pl.concat([first, exposures.filter(~named)])


def _nearest(events: pl.DataFrame, shown: pl.DataFrame, rule: AttributionRule) -> pl.DataFrame:
    """Each with the exposure of its item that the rule means, else the last before it, else the first after it."""
    at = pl.col(EVENT_TIMESTAMP)
    before = _asof(events, shown, at, "backward")
    if rule.exposure == "first":
        first = _asof(events, shown, at - pl.col("_horizon") + timedelta(microseconds=1), "forward")
        within = first.filter(pl.col(EXPOSED_AT) <= at)
        before = pl.concat([within, before.join(within.select("_row"), on="_row", how="anti")])
    none = pl.col(EXPOSED_AT).is_null()
    after = _asof(before.filter(none).select(events.columns), shown, at, "forward")
    return pl.concat([before.filter(~none), after])


def _asof(
    events: pl.DataFrame, shown: pl.DataFrame, instant: pl.Expr, strategy: Literal["backward", "forward"]
) -> pl.DataFrame:
    """Each with the exposure of its item that is next to an instant, in a direction; nulls where none is."""
    found = (
        events.with_columns(instant.alias("_instant"))
        .sort("_instant")
        .join_asof(
            shown.with_columns(pl.col(EXPOSED_AT).alias("_at")),
            left_on="_instant",
            right_on="_at",
            by=[*_PAIR],
            strategy=strategy,
            coalesce=False,
            check_sortedness=False,
        )
    )
    return found.drop("_instant", "_at")


class ClosedSpan(NamedTuple):
    """Exposures that closed, each once, the events that had been learned by then, those that came too late, and those
    that were learned in the span and belong to no exposure, with :data:`ORPHAN`."""

    exposures: pl.DataFrame
    events: pl.DataFrame
    corrections: pl.DataFrame
    orphans: pl.DataFrame


def close(
    exposures: pl.DataFrame,
    events: pl.DataFrame,
    rule: AttributionRule,
    *,
    lateness: timedelta,
    after: datetime | None,
    until: datetime,
) -> ClosedSpan:
    """What closes after ``after`` (None: ever) and by ``until``: an exposure does when its longest horizon and
    ``lateness`` have passed, so that no outcome is missing that was learned in time.

    ``events`` have known_timestamp, too. An event that was learned when its exposure had closed is a correction, of the
    span in which it was learned. Spans that follow each other give together what one span over all gives.
    """
    closes = pl.col(EXPOSED_AT) + rule.longest + lateness
    started = pl.lit(True) if after is None else closes > after
    done = exposures.filter(started & (closes <= until))
    attributed, is_orphan = attribute(exposures, events, rule), pl.col(ORPHAN).is_not_null()
    owned = attributed.filter(~is_orphan).drop(ORPHAN)
    known = pl.coalesce(KNOWN_TIMESTAMP, EVENT_TIMESTAMP)
    in_time = known <= closes
    of_span = pl.lit(True) if after is None else known > after
    return ClosedSpan(
        exposures=done,
        events=owned.filter(in_time & started & (closes <= until)),
        corrections=owned.filter(~in_time & of_span & (known <= until)),
        orphans=attributed.filter(is_orphan & of_span & (known <= until)),
    )


def rule_of(settings: Settings) -> AttributionRule:
    """The rule of the settings."""
    chosen = settings.evaluation.attribution
    return AttributionRule(
        horizon=timedelta(days=settings.evaluation.horizon_days),
        horizons={name: timedelta(days=days) for name, days in chosen.horizons_days.items()},
        exposure=chosen.exposure,
        by=chosen.by,
    )
