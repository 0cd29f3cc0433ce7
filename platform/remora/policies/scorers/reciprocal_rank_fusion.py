"""Score by agreement of the sources."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from remora.extensions import ComponentConfig
from remora.pipeline import Candidates, Query, Scores, StageContext
from remora.pipeline.candidates import reciprocal_rank_fusion
from remora.pipeline.merge_weights import MergeWeights
from remora.pipeline.runner import BACKFILL


@dataclass(frozen=True)
class ReciprocalRankFusion:
    """Reciprocal rank fusion of the sources that found the item (Cormack et al., SIGIR 2009), weighted as the merge."""

    takes_live_rows = True

    merge: MergeWeights | None = None

    @classmethod
    def from_config(cls, config: ComponentConfig, context: StageContext) -> ReciprocalRankFusion:
        """With the weights of the surface."""
        return cls(context.merge if context.surface else None)

    def score(self, query: Query, candidates: Candidates) -> Scores:
        """Shape (n,), at most S / 61 for S sources of weight 1, 0 for what only sources of weight 0 found; NaN for what
        only the backfill did."""
        own = [index for index, source in enumerate(candidates.sources) if source != BACKFILL]
        names, ranks = [candidates.sources[index] for index in own], candidates.source_ranks[:, own]
        weights = None if self.merge is None else self.merge.of(len(query.history), names)
        found = ~np.isnan(ranks).all(axis=1)
        return np.where(found, reciprocal_rank_fusion(ranks, weights), np.nan).astype(np.float32)
