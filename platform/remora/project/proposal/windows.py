"""Are there events enough in each of the four windows of time?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from remora.datasets.splits import LEAST_DAYS

NAMES = ("retrieval training", "ranking training", "validation", "test")
DEFAULT, EVEN = (0.65, 0.15, 0.08), (0.50, 0.20, 0.15)
LEAST_POSITIVE = 100
"""Positive events of items that are new to their users, in each window, below which its figures say little."""

REPEATED = 0.5


@dataclass(frozen=True)
class WindowPlan:
    """One window: from ``start`` on, with about so many positive events, of which ``fresh`` are of new items."""

    name: str
    start: datetime
    end: datetime
    positive: int
    fresh: int
    users: int


@dataclass(frozen=True)
class SplitPlan:
    """The windows at some shares of all events; no windows where the cuts coincide.

    ``repeats``: of what users want on a day, the share that they had wanted on a day before.
    """

    shares: tuple[float, float, float]
    windows: tuple[WindowPlan, ...]
    repeats: float
    days: int

    @property
    def least(self) -> int:
        """Positive events in the window, after the first, that has fewest; of new items if those matter."""
        counts = [(w.positive if self.repeats >= REPEATED else w.fresh) for w in self.windows[1:]]
        return min(counts, default=0)

    @property
    def is_default(self) -> bool:
        """Are the shares those that settings have by themselves?"""
        return self.shares == DEFAULT


def plan_split(events: pl.DataFrame, scale: float) -> SplitPlan:
    """The default shares, or evener ones where those leave too little.

    ``events`` has the columns user, item, at and positive, one row an event; ``scale`` is how many events a row of the
    sample stands for.
    """
    sorted_events = events.sort("at", maintain_order=True)
    wanted = sorted_events.filter("positive")
    wanted = wanted.with_columns(
        fresh=pl.struct("user", "item").is_first_distinct(),
        daily=pl.struct("user", "item", pl.col("at").dt.date()).is_first_distinct(),
    )
    default, even = (_cut(sorted_events["at"], wanted, shares, scale) for shares in (DEFAULT, EVEN))
    return even if default.least < LEAST_POSITIVE and even.least > default.least else default


def _cut(instants: pl.Series, wanted: pl.DataFrame, shares: tuple[float, float, float], scale: float) -> SplitPlan:
    """As :func:`remora.datasets.splits.time_split` cuts."""
    days = instants.dt.date().n_unique()
    unit, every = (timedelta(days=1), "1d") if days >= LEAST_DAYS else (timedelta(seconds=1), "1s")
    counted = instants.dt.truncate(every).alias("unit").value_counts().sort("unit")
    reached = counted["count"].cum_sum() / len(instants)
    borders, ends, total = counted["unit"] + unit, [], 0.0
    for share in shares:
        total += share
        ends.append(borders[int((reached - total).abs().arg_min() or 0)])
    first, last = instants[0], instants[-1]
    # What is seen, put into a cart and bought on one day is wanted once.
    on_days = wanted.filter("daily")
    repeats = 1 - float(on_days["fresh"].mean() or 0.0) if on_days.height else 0.0  # type: ignore[arg-type]
    if not first < ends[0] < ends[1] < ends[2] <= last:
        return SplitPlan(shares, (), repeats, days)
    edges = [first, *ends, last + timedelta(microseconds=1)]
    windows = []
    for name, start, end in zip(NAMES, edges[:-1], edges[1:], strict=True):
        inside = wanted.filter((pl.col("at") >= start) & (pl.col("at") < end))
        positive, fresh = round(inside.height * scale), round(int(inside["fresh"].sum()) * scale)
        windows.append(WindowPlan(name, start, end, positive, fresh, inside["user"].n_unique()))
    return SplitPlan(shares, tuple(windows), repeats, days)
