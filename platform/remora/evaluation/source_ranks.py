"""What each source of a surface finds for the queries of a window, held against what the users went on to want."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property, reduce
from operator import add
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import ray

from remora.core.vocabulary import ItemCodes, Vocabulary
from remora.datasets.days import by_days, each_day
from remora.evaluation.replay import asked, gains_of, query_of
from remora.pipeline import Pipeline
from remora.pipeline.candidates import Floats, Weights, reciprocal_rank_fusion

Ints = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class SourceRanks:
    """Q queries with N candidates in all: those of one query together, in the order where all sources count alike.

    ``ranks`` (N, S) are those of ``sources``, NaN where one did not find the item; ``query`` (N,) says of which query a
    candidate is, ``gains`` (N,) what it is worth, 0 for no target. ``users`` and ``history`` (Q,) are who asked and how
    many positive items stood in the history; ``wanted`` are the gains of all targets of each query, found or not.
    """

    sources: tuple[str, ...]
    users: tuple[str, ...]
    history: Ints
    wanted: tuple[tuple[float, ...], ...]
    query: Ints
    ranks: Floats
    gains: Numbers

    def __len__(self) -> int:
        return len(self.users)

    def __add__(self, other: SourceRanks) -> SourceRanks:
        return SourceRanks(
            sources=self.sources,
            users=self.users + other.users,
            history=np.concatenate([self.history, other.history]),
            wanted=self.wanted + other.wanted,
            query=np.concatenate([self.query, other.query + len(self)]),
            ranks=np.concatenate([self.ranks, other.ranks]),
            gains=np.concatenate([self.gains, other.gains]),
        )

    def where(self, keep: npt.NDArray[np.bool_]) -> SourceRanks:
        """The queries for which the mask (Q,) holds."""
        of_kept, number = keep[self.query], np.cumsum(keep) - 1
        chosen = np.flatnonzero(keep).tolist()
        return SourceRanks(
            sources=self.sources,
            users=tuple(self.users[index] for index in chosen),
            history=self.history[keep],
            wanted=tuple(self.wanted[index] for index in chosen),
            query=number[self.query[of_kept]],
            ranks=self.ranks[of_kept],
            gains=self.gains[of_kept],
        )

    def alone(self, source: str) -> SourceRanks:
        """What one source found, and nothing else."""
        keep = ~np.isnan(self.ranks[:, self.sources.index(source)])
        return replace(self, query=self.query[keep], ranks=self.ranks[keep], gains=self.gains[keep])

    def places(self, weights: Weights) -> Ints:
        """The place of each target found, from 1, where the sources count by ``weights`` (S,)."""
        fused = self._padded(reciprocal_rank_fusion(self.ranks, weights))
        own = fused[self._row, self._column][:, None]
        there = fused[self._row]
        before = (there > own) | ((there == own) & (np.arange(fused.shape[1]) < self._column[:, None]))
        return before.sum(axis=1) + 1

    def quality(self, weights: Weights, cutoffs: tuple[int, int]) -> tuple[Numbers, Numbers]:
        """NDCG@``cutoffs[0]`` and recall@``cutoffs[1]`` of each query (Q,), as the metrics of these names have them."""
        places = self.places(weights)
        gains = np.where(places <= cutoffs[0], self.gains[self._targets] / np.log2(places + 1.0), 0.0)
        found = (places <= cutoffs[1]).astype(np.float64)
        ndcg = np.bincount(self._row, weights=gains, minlength=len(self)) / self._ideal(cutoffs[0])
        return ndcg, np.bincount(self._row, weights=found, minlength=len(self)) / self._wanted

    def _ideal(self, k: int) -> Numbers:
        """The DCG@k of all targets in the best order, of each query (Q,)."""
        if k not in self._ideals:
            best = [-np.sort(-np.array(gains))[:k] for gains in self.wanted]
            self._ideals[k] = np.array([np.sum(one / np.log2(np.arange(2, len(one) + 2))) for one in best])
        return self._ideals[k]

    @cached_property
    def _ideals(self) -> dict[int, Numbers]:
        return {}

    @cached_property
    def _wanted(self) -> Numbers:
        return np.array([len(gains) for gains in self.wanted], np.float64)

    @cached_property
    def _targets(self) -> Ints:
        """Candidates that are targets."""
        return np.flatnonzero(self.gains > 0)

    @cached_property
    def _row(self) -> Ints:
        return self.query[self._targets]

    @cached_property
    def _column(self) -> Ints:
        return self._targets - self._begin[self._row]

    @cached_property
    def _begin(self) -> Ints:
        return np.searchsorted(self.query, np.arange(len(self)))

    def _padded(self, values: Numbers) -> Numbers:
        """(Q, most candidates of a query), below every value where a query has fewer."""
        column = np.arange(len(values)) - self._begin[self.query]
        padded = np.full((len(self), int(column.max(initial=-1)) + 1), -np.inf)
        padded[self.query, column] = values
        return padded


class AskedQuery(NamedTuple):
    """One query: whose it is, positive items in the history, row -> gain of its targets, and the rows (m,) found with
    their ranks (m, S)."""

    user: str
    history: int
    wanted: dict[int, float]
    rows: ItemCodes
    ranks: Floats


@dataclass(frozen=True, kw_only=True)
class SourceReplay:
    """Asks the sources of a surface, as they were at each day, what they find; plain objects that pickle.

    Judged is what the filters leave. See :class:`~remora.evaluation.replay.Replay` for ``needs_item``.
    """

    vocabulary: Vocabulary
    pipeline_at: Callable[[datetime], Pipeline]
    surface: str
    needs_item: bool

    def run(self, queries: pa.Table) -> SourceRanks:
        """Of the columns of :func:`~remora.datasets.queries.queries`; queries without a target are left out."""
        pipeline = None
        found: list[AskedQuery] = []
        for midnight, of_day in each_day(queries):
            pipeline = self.pipeline_at(midnight)
            found += [one for row in of_day if row["targets"] and (one := self._ask(row, pipeline)) is not None]
        sources = tuple(pipeline.sources) if pipeline else ()
        return _joined(sources, found)

    def _ask(self, query_row: Mapping[str, Any], pipeline: Pipeline) -> AskedQuery | None:
        state = asked(pipeline, query_of(query_row, surface=self.surface, n=1), needs_item=self.needs_item)
        if state is None:
            return None
        # No backfill: it is what stands where sources found too little.
        candidates = pipeline.filter(pipeline.retrieve(state)).candidates
        own = [candidates.column(source) for source in pipeline.sources]
        ranks = candidates.source_ranks[:, own]  # type: ignore[index]
        order = np.lexsort((candidates.rows, -reciprocal_rank_fusion(ranks)))
        keep = order[~np.isnan(ranks[order]).all(axis=1)]
        gains = gains_of(query_row, self.vocabulary)
        user = str(query_row["user_id"])
        return AskedQuery(user, len(state.query.history), gains, candidates.rows[keep], ranks[keep])


def _joined(sources: tuple[str, ...], found: Sequence[AskedQuery]) -> SourceRanks:
    gains = [np.array([one.wanted.get(row, 0.0) for row in one.rows.tolist()]) for one in found]
    return SourceRanks(
        sources=sources,
        users=tuple(one.user for one in found),
        history=np.array([one.history for one in found], np.int64),
        wanted=tuple(tuple(one.wanted.values()) for one in found),
        query=np.repeat(np.arange(len(found)), [len(one.rows) for one in found]),
        ranks=np.concatenate([np.empty((0, len(sources)), np.float32), *(one.ranks for one in found)]),
        gains=np.concatenate([np.empty(0), *gains]),
    )


def source_ranks_on_ray(replay: SourceReplay, queries: pa.Table, *, tasks: int) -> SourceRanks:
    """As ``replay.run(queries)``, whole days to at most ``tasks`` tasks."""
    shared = ray.put(replay)
    parts = ray.get([_run.remote(shared, part) for part in by_days(queries, tasks)])
    there = [part for part in parts if len(part)]
    return reduce(add, there) if there else replay.run(queries.slice(0, 0))


@ray.remote
def _run(replay: SourceReplay, queries: pa.Table) -> SourceRanks:
    return replay.run(queries)
