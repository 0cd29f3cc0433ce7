"""Columns of items and users that know the future: made of the events that are to be predicted."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from remora.project.proposal.columns import ColumnFacts
from remora.project.proposal.words import ALONE, COUNTED, OUTCOMES, QUANTITY, VALUE, tokens

FOLLOWS = 0.85
"""Rank correlation with the events of each id from which on a column is taken for one that counts them."""

LEAST_IDS, LEAST_EVENTS = 30, 5

ACTIVITY = frozenset({"login", "active", "activity", "seen", "visit", "event", "purchase", "order", "click", "view"})
AGGREGATES = frozenset({"avg", "average", "mean", "median", "total", "sum", "min", "max", "count"})
PLURALS = frozenset({word for word in OUTCOMES if word.endswith("s")} | {"rating", "revenue"})


@dataclass(frozen=True)
class EventsOfIds:
    """Of each id in the sample of events: ``id``, ``events`` (count), and ``rating`` (mean, where events have one)."""

    counts: pl.DataFrame

    @classmethod
    def of(cls, ids: pl.Series, ratings: pl.Series | None) -> EventsOfIds:
        """Count the events of a column of ids."""
        frame = pl.DataFrame({"id": ids, "rating": ratings if ratings is not None else [None] * len(ids)})
        grouped = frame.drop_nulls("id").group_by("id", maintain_order=True)
        return cls(grouped.agg(pl.len().alias("events"), pl.col("rating").cast(pl.Float64).mean()))


def leak(column: ColumnFacts, key: ColumnFacts, events: EventsOfIds) -> str | None:
    """Why a column is taken for one that is made of events; None where it is not."""
    if column.kind in ("integer", "number") and (found := _follows(column, key, events)) is not None:
        return found
    own = set(tokens(column.name))
    if column.kind in ("list", "other", "empty") or (column.kind == "text" and "last" not in own):
        return None
    counted = own & OUTCOMES and (own & COUNTED or own <= PLURALS)
    if own & ALONE or counted or ("last" in own and own & ACTIVITY) or "recency" in own:
        return "by its name it is made of events, also of those that are to be predicted"
    return None


def aggregate(column: ColumnFacts) -> bool:
    """Does a name say that an amount was computed over something, perhaps over the events?"""
    own = set(tokens(column.name))
    return bool(own & AGGREGATES and own & (VALUE | QUANTITY) - AGGREGATES)


def _follows(column: ColumnFacts, key: ColumnFacts, events: EventsOfIds) -> str | None:
    values = pl.DataFrame({"id": key.ids, "value": column.numbers}).drop_nulls().unique("id", keep="last")
    joined = values.join(events.counts, on="id", how="inner", maintain_order="left")
    if joined.height < LEAST_IDS:
        return None
    if (found := _correlation(joined, "events")) >= FOLLOWS:
        return f"its rank correlation with the number of events is {found:.2f}: it counts what is to be predicted"
    rated = joined.filter((pl.col("events") >= LEAST_EVENTS) & pl.col("rating").is_not_null())
    if rated.height >= LEAST_IDS and (found := _correlation(rated, "rating")) >= FOLLOWS:
        return f"its rank correlation with the mean rating of the events is {found:.2f}: it is made of them"
    return None


def _correlation(frame: pl.DataFrame, of: str) -> float:
    if frame["value"].n_unique() < 2 or frame[of].n_unique() < 2:
        return 0.0
    found = frame.select(pl.corr("value", of, method="spearman")).item()
    return abs(float(found)) if found is not None else 0.0
