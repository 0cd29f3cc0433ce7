"""Candidates as columns: what the sources found, and what later stages said of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from remora.core.vocabulary import NO_ROWS, ItemCodes
from remora.pipeline.rows import unique

Floats = npt.NDArray[np.float32]
Weights = npt.NDArray[np.float64]

RRF_CONSTANT = 60.0


class Retrieved(NamedTuple):
    """What one source found, best first: item rows (n,) int32 without repeats, and its scores (n,) float32.

    ``score_others`` scores items below its limit: rows (m,) to scores (m,), NaN where it cannot tell.
    """

    rows: ItemCodes
    scores: Floats
    score_others: Callable[[ItemCodes], Floats] | None = None


EMPTY = Retrieved(NO_ROWS, np.empty(0, np.float32))


def reciprocal_rank_fusion(ranks: Floats, weights: Weights | None = None) -> npt.NDArray[np.float64]:
    """Ranks (n, S) from 1, NaN where not found, to one number (n,), the higher the better.

    Cormack, Clarke and Buettcher, SIGIR 2009, with their constant of 60. With ``weights`` (S,) each source's part of
    the sum is multiplied by its weight.
    """
    parts = 1.0 / (RRF_CONSTANT + ranks.astype(np.float64))
    return np.nansum(parts if weights is None else parts * weights, axis=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidates:
    """n candidates found by S sources, in retrieval order.

    ``source_scores`` and ``source_ranks`` have shape (n, S); ranks start at 1 and are NaN where a source did not find
    the item; its score is NaN where the source cannot tell. ``scores`` has shape (n,); NaN is *unscored*, which is not
    zero.
    """

    rows: ItemCodes
    sources: tuple[str, ...]
    source_scores: Floats
    source_ranks: Floats
    scores: Floats

    def __len__(self) -> int:
        return len(self.rows)

    @classmethod
    def merge(cls, found: Sequence[tuple[str, Retrieved]], weights: Weights | None = None) -> Candidates:
        """Union of what the sources found, ordered by reciprocal rank fusion (Cormack et al., SIGIR 2009).

        With ``weights`` (S,), 0 and more, by those of the sources; what only sources of weight 0 found stands last.
        Ties are broken as if all counted alike, then by row, so the order is the same everywhere. What a source says of
        an item that only others found is asked of it: to a ranker, just below a limit and far below it are not the
        same.
        """
        rows = unique(np.concatenate([f.rows for _, f in found])) if found else NO_ROWS
        scores = np.full((len(rows), len(found)), np.nan, np.float32)
        ranks = np.full((len(rows), len(found)), np.nan, np.float32)
        for column, (_, source) in enumerate(found):
            at = np.searchsorted(rows, source.rows)
            if source.score_others is not None:
                scores[:, column] = source.score_others(rows)
            scores[at, column] = source.scores
            ranks[at, column] = np.arange(1, len(at) + 1, dtype=np.float32)
        # Rows ascend, so that a stable sort breaks ties by row.
        order = np.argsort(-reciprocal_rank_fusion(ranks), kind="stable")
        if weights is not None:
            order = order[np.argsort(-reciprocal_rank_fusion(ranks[order], weights), kind="stable")]
        return cls(
            rows=rows[order].astype(np.int32),
            sources=tuple(name for name, _ in found),
            source_scores=scores[order],
            source_ranks=ranks[order],
            scores=np.full(len(rows), np.nan, np.float32),
        )

    @classmethod
    def none(cls) -> Candidates:
        """No candidates, before any source is asked."""
        return cls.unfound(NO_ROWS)

    @classmethod
    def unfound(cls, rows: ItemCodes) -> Candidates:
        """Items (n,) that no source found, unscored: what rules alone say of them can be asked."""
        nothing = np.empty((len(rows), 0), np.float32)
        scores = np.full(len(rows), np.nan, np.float32)
        return cls(rows=rows, sources=(), source_scores=nothing, source_ranks=nothing, scores=scores)

    def take(self, which: npt.NDArray[np.intp] | npt.NDArray[np.bool_]) -> Candidates:
        """The candidates at these positions (m,), in that order, or where the mask (n,) holds."""
        return replace(
            self,
            rows=self.rows[which],
            source_scores=self.source_scores[which],
            source_ranks=self.source_ranks[which],
            scores=self.scores[which],
        )

    def scored(self, scores: Floats) -> Candidates:
        """The same candidates with scores (n,)."""
        return replace(self, scores=scores.astype(np.float32, copy=False))

    def by_score(self) -> Candidates:
        """Best score first; unscored last; equal scores keep their order."""
        return self.take(np.argsort(np.where(np.isnan(self.scores), np.inf, -self.scores), kind="stable"))

    def column(self, source: str) -> int | None:
        """The column of one source; None when it did not run."""
        return self.sources.index(source) if source in self.sources else None

    def found_by(self, position: int) -> tuple[str, ...]:
        """Names of the sources that found the candidate at ``position``."""
        return tuple(s for s, rank in zip(self.sources, self.source_ranks[position], strict=True) if not np.isnan(rank))


def stack(first: Candidates, then: Candidates) -> Candidates:
    """Both, ``then`` after ``first``; a source that both have keeps one column."""
    sources = tuple(dict.fromkeys(first.sources + then.sources))

    def columns(a: Floats, b: Floats) -> Floats:
        stacked = np.full((len(first) + len(then), len(sources)), np.nan, np.float32)
        stacked[: len(first), [sources.index(s) for s in first.sources]] = a
        stacked[len(first) :, [sources.index(s) for s in then.sources]] = b
        return stacked

    return Candidates(
        rows=np.concatenate([first.rows, then.rows]),
        sources=sources,
        source_scores=columns(first.source_scores, then.source_scores),
        source_ranks=columns(first.source_ranks, then.source_ranks),
        scores=np.concatenate([first.scores, then.scores]),
    )
