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
        self._counts: Counter[str] = Counter()
        self._scores = self._squares = 0.0
        self._milliseconds = [*EMPTY]

    def answered(self, slate: ServedSlate) -> None:
        """Count a slate; one of the fallback chain has failed."""
        self._counts.update(
            failed=slate.fallback,
            deadline_exceeded=slate.total_ms > slate.within_ms,
            degraded=bool(slate.degraded),
            underfilled=len(slate.items) < slate.requested,
            unscored=len(finite_scores(slate.items)) < len(slate.items),
        )
        self._took(slate.total_ms, slate.items)

    def shown(self, response: RecommendResponse) -> None:
        """Count how long a slate took, and its scores, alone: the rest of it is counted where it was made."""
        self._took(response.timings_ms["total"], response.items)

    def failed(self) -> None:
        """Count a request that a bug ended."""
        self._counts.update(requests=1, failed=1)

    def sums(self) -> RequestStats:
        """So far."""
        sums = {"scores": self._scores, "squares": self._squares, "milliseconds": tuple(self._milliseconds)}
        return RequestStats(**self._counts, **sums)

    def _took(self, total_ms: float, items: Items) -> None:
        scores = finite_scores(items)
        self._counts.update(requests=1, items=len(scores))
        self._scores += sum(scores)
        self._squares += sum(score * score for score in scores)
        self._milliseconds[bisect_left(LATENCY_BOUNDS_MS, total_ms)] += 1


class ShadowCounter:
    """What a shadow answered so far, beside what was shown."""

    def __init__(self) -> None:
        self.answers, self._shown = RequestCounter(), RequestCounter()
        self._skipped, self._overlap = 0, 0.0

    def skipped(self) -> None:
        """Count a request that the shadow was not asked."""
        self._skipped += 1

    def compared(self, shadow: RecommendResponse, shown: RecommendResponse) -> None:
        """Count what the shadow answered in place of what was ``shown``."""
        self._shown.shown(shown)
        ours, theirs = ({item.item_id for item in response.items} for response in (shadow, shown))
        self._overlap += len(ours & theirs) / max(1, len(ours), len(theirs))

    def sums(self) -> ShadowStats:
        """So far."""
        answers, shown = self.answers.sums(), self._shown.sums()
        return ShadowStats(answers=answers, shown=shown, skipped=self._skipped, overlap=self._overlap)


Items = Sequence[RecommendedItem] | Sequence[ServedItem]


def finite_scores(items: Items) -> list[float]:
    """Of the items that a scorer has an opinion of; infinity does not count."""
    return [item.score for item in items if item.score is not None and math.isfinite(item.score)]
