"""What is shown, in order, and what happened on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from remora.pipeline.candidates import Candidates
from remora.pipeline.degradation import code_of


@dataclass(frozen=True, kw_only=True, slots=True)
class Slate:
    """The chosen candidates, best first; ``degraded`` names each thing that was skipped and why."""

    candidates: Candidates
    degraded: tuple[str, ...] = ()
    timings_ms: Mapping[str, float]
    counts: Mapping[str, int]  # candidates found by each source, left after each rule and phase

    @property
    def codes(self) -> frozenset[str]:
        """What ``degraded`` names, without the reasons."""
        return frozenset(map(code_of, self.degraded))
