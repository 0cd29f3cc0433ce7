"""Quantiles of latency from counts per bucket."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from remora.control.replica_status import LATENCY_BOUNDS_MS

P99 = 0.99


def bucket_of_quantile(counts: Sequence[int], quantile: float) -> int | None:
    """The bucket that a quantile lies in; None where nothing was counted."""
    wanted, total = quantile * sum(counts), 0
    for bucket, count in enumerate(counts):
        total += count
        if total and total >= wanted:
            return bucket
    return None


def quantile_ms(counts: Sequence[int], quantile: float) -> float | None:
    """An upper bound of a quantile, in milliseconds: the end of its bucket; infinite for the last one."""
    bucket = bucket_of_quantile(counts, quantile)
    if bucket is None:
        return None
    return LATENCY_BOUNDS_MS[bucket] if bucket < len(LATENCY_BOUNDS_MS) else float("inf")


def slow_bucket(production: Sequence[int], *, timeout_ms: float) -> int:
    """Answers in later buckets are slow: the one that production's p99 lies in, or without answers a request's time."""
    found = bucket_of_quantile(production, P99)
    return bisect_left(LATENCY_BOUNDS_MS, timeout_ms) if found is None else found


def slower(counts: Sequence[int], bucket: int) -> int:
    """Answers in later buckets."""
    return sum(counts[bucket + 1 :])
