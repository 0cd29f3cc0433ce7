"""A request on its way through the stages of a surface, and what has happened to it so far."""

from __future__ import annotations

from dataclasses import dataclass, field

from remora.pipeline.candidates import Candidates
from remora.pipeline.query import Query


@dataclass(frozen=True, kw_only=True, slots=True)
class PipelineState:
    """The query, as far as it is hydrated, and its candidates; it crosses process borders."""

    query: Query
    candidates: Candidates = field(default_factory=Candidates.none)
    degraded: tuple[str, ...] = ()
    timings_ms: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
