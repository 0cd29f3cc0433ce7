"""What only serving knows of a candidate, as columns: who found it, how sure, and how early."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from remora.core.vocabulary import ItemCodes
from remora.pipeline import Candidates
from remora.pipeline.candidates import reciprocal_rank_fusion
from remora.pipeline.runner import BACKFILL

FOUND_BY = "candidate__found_by"


def candidate_columns(candidates: Candidates) -> dict[str, npt.NDArray[np.float32]]:
    """Columns of shape (n,) float32: score and rank per source, the place in retrieval order, how many found it.

    NaN where a source did not find the item: a missing score is a value of its own, never zero. The place is that
    where all sources count alike: weights are chosen on data that is later than the ranker's rows.
    """
    columns = {"candidate__place": _places(candidates)}
    columns[FOUND_BY] = (~np.isnan(candidates.source_ranks)).sum(axis=1).astype(np.float32)
    for index, source in enumerate(candidates.sources):
        columns[f"candidate__{source}_score"] = candidates.source_scores[:, index]
        columns[f"candidate__{source}_rank"] = candidates.source_ranks[:, index]
    return columns


def _places(candidates: Candidates) -> npt.NDArray[np.float32]:
    """From 1, shape (n,); ties by row; what the backfill alone found stands last, as it stood there."""
    ranks = candidates.source_ranks[:, [source != BACKFILL for source in candidates.sources]]
    fused = reciprocal_rank_fusion(ranks)
    order = np.lexsort((np.where(fused > 0, candidates.rows, np.arange(len(candidates))), -fused))
    places = np.empty(len(candidates), np.float32)
    places[order] = np.arange(1, len(candidates) + 1, dtype=np.float32)
    return places


def columns_of_rows(candidates: Candidates, rows: ItemCodes) -> dict[str, npt.NDArray[np.float32]]:
    """The same for some items (n,), as they stand among all candidates: an item that is no candidate was found by no
    source, and all else of it is missing."""
    order = np.argsort(candidates.rows)
    at = np.searchsorted(candidates.rows, rows, sorter=order)
    index = order[np.minimum(at, len(order) - 1)] if len(order) else np.zeros(len(rows), np.intp)
    known = candidates.rows[index] == rows if len(order) else np.zeros(len(rows), bool)
    columns = {}
    for name, column in candidate_columns(candidates).items():
        columns[name] = np.full(len(rows), 0 if name == FOUND_BY else np.nan, np.float32)
        columns[name][known] = column[index[known]]
    return columns
