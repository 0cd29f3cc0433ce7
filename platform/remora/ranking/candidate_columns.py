"""What only serving knows of a candidate, as columns: who found it, how sure, and how early."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from remora.pipeline import Candidates


def candidate_columns(candidates: Candidates) -> dict[str, npt.NDArray[np.float32]]:
    """Columns of shape (n,) float32: score and rank per source, the place in retrieval order, how many found it.

    NaN where a source did not find the item: a missing score is a value of its own, never zero.
    """
    columns = {"candidate__place": np.arange(1, len(candidates) + 1, dtype=np.float32)}
    columns["candidate__found_by"] = (~np.isnan(candidates.source_ranks)).sum(axis=1).astype(np.float32)
    for place, source in enumerate(candidates.sources):
        columns[f"candidate__{source}_score"] = candidates.source_scores[:, place]
        columns[f"candidate__{source}_rank"] = candidates.source_ranks[:, place]
    return columns
