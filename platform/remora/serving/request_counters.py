"""Results of requests, by bundle, as a replica counts them: see :mod:`remora.control.replica_status`."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence

from remora.control.replica_status import EMPTY, LATENCY_BOUNDS_MS, RequestStats, ShadowStats
from remora.feedback.served_slate import ServedItem, ServedSlate
from remora.surfaces.responses import RecommendedItem, RecommendResponse


class RequestCounter:
    """Answers of one bundle so far; written by the event loop, read by the thread that reports."""

    def __init__(self) -> None:
        self._sums: Counter[str] = Counter()
        self._milliseconds = [*EMPTY]

    def answered(self, slate: ServedSlate) -> None:
        """Count a slate; one of the fallback chain has failed."""
        self._sums.update(
            requests=1,
            failed=slate.fallback,
            deadline_exceeded=slate.total_ms > slate.within_ms,
            degraded=bool(slate.degraded),
            underfilled=len(slate.items) < slate.requested,
            unscored=len(finite_scores(slate.items)) < len(slate.items),
        )
        self._milliseconds[bisect_left(LATENCY_BOUNDS_MS, slate.total_ms)] += 1

    def failed(self) -> None:
        """Count a request that a bug ended."""
        self._sums.update(requests=1, failed=1)

    def sums(self) -> RequestStats:
        """So far."""
        return RequestStats(**self._sums, milliseconds=tuple(self._milliseconds))


class ShadowCounter:
    """What a shadow answered so far, beside what was shown."""

    def __init__(self) -> None:
        self.answers = RequestCounter()
        self._sums: Counter[str] = Counter()
        self._scores: dict[str, float] = {}
        self._milliseconds = [*EMPTY]

    def skipped(self) -> None:
        """Count a request that the shadow was not asked."""
        self._sums["skipped"] += 1

    def compared(self, shadow: RecommendResponse, shown: RecommendResponse) -> None:
        """Count what the shadow answered in place of what was ``shown``."""
        self._milliseconds[bisect_left(LATENCY_BOUNDS_MS, shown.timings_ms["total"])] += 1
        ours, theirs = ({item.item_id for item in response.items} for response in (shadow, shown))
        self._add("overlap", len(ours & theirs) / max(1, len(ours), len(theirs)))
        for prefix, items in (("", shadow.items), ("production_", shown.items)):
            scores = finite_scores(items)
            self._sums[f"{prefix}items"] += len(scores)
            self._add(f"{prefix}scores", sum(scores))
            self._add(f"{prefix}squares", sum(score * score for score in scores))

    def _add(self, name: str, more: float) -> None:
        self._scores[name] = self._scores.get(name, 0.0) + more

    def sums(self) -> ShadowStats:
        """So far."""
        answers = self.answers.sums()
        return ShadowStats(
            compared=answers.requests,
            failed=answers.failed,
            deadline_exceeded=answers.deadline_exceeded,
            underfilled=answers.underfilled,
            unscored=answers.unscored,
            milliseconds=answers.milliseconds,
            production_milliseconds=tuple(self._milliseconds),
            **self._sums,
            **self._scores,
        )


def finite_scores(items: Sequence[RecommendedItem] | Sequence[ServedItem]) -> list[float]:
    """Of the items that a scorer has an opinion of; infinity does not count."""
    return [item.score for item in items if item.score is not None and math.isfinite(item.score)]
