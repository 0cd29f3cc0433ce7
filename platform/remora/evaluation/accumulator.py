"""What a replay adds up: each user's sums, and the items that were covered. Those of different days add up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from remora.evaluation.aggregates import CoveredItems, Mean


class Column(NamedTuple):
    """One number of the report."""

    system: str
    metric: str
    cutoff: int
    segment: str


@dataclass(frozen=True, kw_only=True, eq=False)
class ReplaySums:
    """``totals`` and ``counts`` (U, C) of U ``users`` and C ``columns``; ``covered`` of the columns that are no means.

    ``queries`` and ``degraded`` count queries per segment, and slates per system that some stage was missing from.
    """

    columns: tuple[Column, ...]
    users: tuple[str, ...]
    totals: npt.NDArray[np.float64]
    counts: npt.NDArray[np.float64]
    covered: Mapping[Column, CoveredItems]
    queries: Mapping[str, int]
    degraded: Mapping[str, int]

    def __add__(self, other: ReplaySums) -> ReplaySums:
        columns = tuple(dict.fromkeys(self.columns + other.columns))
        users = tuple(sorted({*self.users, *other.users}))
        totals, counts = np.zeros((2, len(users), len(columns)))
        row, index = {u: n for n, u in enumerate(users)}, {c: n for n, c in enumerate(columns)}
        for part in (self, other):
            at = np.ix_([row[u] for u in part.users], [index[c] for c in part.columns])
            totals[at] += part.totals
            counts[at] += part.counts
        covered = dict(self.covered)
        for column, more in other.covered.items():
            covered[column] = covered[column] + more if column in covered else more
        return ReplaySums(
            columns=columns,
            users=users,
            totals=totals,
            counts=counts,
            covered=covered,
            queries=_added(self.queries, other.queries),
            degraded=_added(self.degraded, other.degraded),
        )

    def mean(self, column: Column) -> Mean:
        """The sum over all users of one column."""
        index = self.columns.index(column)
        return Mean(float(self.totals[:, index].sum()), int(self.counts[:, index].sum()))


def _added(one: Mapping[str, int], other: Mapping[str, int]) -> Counter[str]:
    added = Counter(one)
    added.update(other)  # keeps zeros, which + drops
    return added


@dataclass
class Accumulator:
    """Builds :class:`ReplaySums`, one query after the other."""

    means: dict[str, dict[Column, Mean]] = field(default_factory=dict)
    rows: dict[Column, list[CoveredItems]] = field(default_factory=dict)
    queries: Counter[str] = field(default_factory=Counter)
    degraded: Counter[str] = field(default_factory=Counter)

    def add(self, user: str, column: Column, measured: Mean | CoveredItems) -> None:
        """Add what a metric gave for one query of ``user``."""
        if isinstance(measured, CoveredItems):
            self.rows.setdefault(column, []).append(measured)
        else:
            of_user = self.means.setdefault(user, {})
            of_user[column] = of_user.get(column, Mean()) + measured

    def sums(self) -> ReplaySums:
        """What has been added."""
        users = tuple(sorted(self.means))
        columns = tuple(dict.fromkeys(column for of_user in self.means.values() for column in of_user))
        sums = [[self.means[user].get(column, Mean()) for column in columns] for user in users]
        shape = (len(users), len(columns))
        return ReplaySums(
            columns=columns,
            users=users,
            totals=np.array([[m.total for m in row] for row in sums], np.float64).reshape(shape),
            counts=np.array([[m.count for m in row] for row in sums], np.float64).reshape(shape),
            covered={
                column: CoveredItems(np.unique(np.concatenate([c.rows for c in parts])), parts[0].items)
                for column, parts in self.rows.items()
            },
            queries=self.queries,
            degraded=self.degraded,
        )
