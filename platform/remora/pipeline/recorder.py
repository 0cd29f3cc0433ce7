"""Asks the stages of one request: times each, counts what it gives, and survives one that is not ready."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from opentelemetry import trace

from remora.core.errors import NotReady
from remora.pipeline.candidates import Candidates
from remora.pipeline.deadline import NEVER, Deadline
from remora.pipeline.degradation import Degradation
from remora.pipeline.query import Query
from remora.pipeline.state import PipelineState

Answer = TypeVar("Answer")

TRACER = trace.get_tracer("remora")
"""A span for each stage, within the request's; nothing while no exporter is configured."""


class StageRecorder:
    """What has happened so far in one request, continued from an earlier phase's state."""

    def __init__(self, before: PipelineState | None = None) -> None:
        self.degraded: list[str] = list(before.degraded) if before else []
        self.timings_ms: dict[str, float] = dict(before.timings_ms) if before else {}
        self.counts: dict[str, int] = dict(before.counts) if before else {}

    def state(self, query: Query, candidates: Candidates) -> PipelineState:
        """The request as it is now, for the next phase."""
        return PipelineState(
            query=query,
            candidates=candidates,
            degraded=tuple(self.degraded),
            timings_ms=self.timings_ms,
            counts=self.counts,
        )

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Add the time within to that of the stage, and trace it."""
        start = time.perf_counter()
        try:
            with TRACER.start_as_current_span(name, attributes={"stage": name}):
                yield
        finally:
            self.timings_ms[name] = self.timings_ms.get(name, 0.0) + (time.perf_counter() - start) * 1e3

    def attempt(self, name: str, ask: Callable[[], Answer], fallback: Answer, *, until: Deadline = NEVER) -> Answer:
        """The stage's answer; ``fallback``, with the reason in ``degraded``, when it is not ready.

        A stage that the slate can do without is not asked after ``until``.
        """
        if until.left < 0:
            self.degraded.append(f"{name}: skipped, the request's time is spent")
            return fallback
        with self.timed(name):
            try:
                return ask()
            except NotReady as reason:
                self.degraded.append(f"{reason.code if isinstance(reason, Degradation) else name}: {reason}")
                return fallback
