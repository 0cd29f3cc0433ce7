"""Score by agreement of the sources."""

from __future__ import annotations

import numpy as np

from remora.extensions import ComponentConfig
from remora.pipeline import Candidates, Query, Scores, StageContext
from remora.pipeline.candidates import reciprocal_rank_fusion
from remora.pipeline.runner import BACKFILL


class ReciprocalRankFusion:
    """Reciprocal rank fusion of the sources that found the item (Cormack et al., SIGIR 2009)."""

    @classmethod
    def from_config(cls, config: ComponentConfig, context: StageContext) -> ReciprocalRankFusion:
        """Needs nothing."""
        return cls()

    def score(self, query: Query, candidates: Candidates) -> Scores:
        """Shape (n,), at most S / 61 for S sources; NaN for what only the backfill found."""
        ranks = candidates.source_ranks[:, [source != BACKFILL for source in candidates.sources]]
        scores = reciprocal_rank_fusion(ranks)
        return np.where(scores > 0, scores, np.nan).astype(np.float32)
