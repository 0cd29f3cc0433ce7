"""What is shown, in order, and what happened on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from remora.pipeline.candidates import Candidates
from remora.pipeline.degradation import code_of
from remora.pipeline.feature_rows import FeatureRows
from remora.pipeline.scored_candidates import Predictions


@dataclass(frozen=True, kw_only=True, slots=True)
class Slate:
    """The n chosen candidates, best first; ``degraded`` names each thing that was skipped and why.

    ``predictions`` of them are there where the scorer makes some, each of shape (n,); ``features`` (n, F), what it
    read, where the query asks for them too.
    """

    candidates: Candidates
    degraded: tuple[str, ...] = ()
    timings_ms: Mapping[str, float]
    counts: Mapping[str, int]  # candidates found by each source, left after each rule and phase
    predictions: Predictions = field(default_factory=dict)
    features: FeatureRows | None = None

    @property
    def codes(self) -> frozenset[str]:
        """What ``degraded`` names, without the reasons."""
        return frozenset(map(code_of, self.degraded))
