"""Counters and histograms of the request path, for Prometheus through Ray's own exporter."""

from __future__ import annotations

from ray.serve import metrics

from remora.pipeline import Query, Slate
from remora.surfaces.responses import RecommendResponse

MILLISECONDS = [1.0, 2.0, 3.0, 5.0, 7.0, 10.0, 15.0, 20.0, 30.0, 50.0, 75.0, 100.0, 150.0, 250.0, 500.0, 1000.0, 3000.0]
"""Upper bounds of the latency buckets."""


class Meters:
    """What Prometheus sees, each under ``ray_``: requests, items, time and candidates of stages, caches, what was
    degraded, short or a fallback, and how the replica stands.
    """

    def __init__(self) -> None:
        self._requests = _counter("remora_requests_total", "Requests that were answered.", "surface", "bundle")
        self._items = _counter("remora_items_total", "Items shown.", "surface")
        self._degraded = _counter("remora_degraded_total", "Stages skipped, by what was skipped.", "surface", "reason")
        self._looked_up = _counter("remora_cache_total", "Look-ups in a cache, by what came of it.", "cache", "outcome")
        self._short = _counter("remora_short_total", "Slates with fewer items than asked for.", "surface", "kind")
        self._fallbacks = _counter("remora_fallback_slates_total", "Slates of the fallback chain.", "surface", "rung")
        self._ready = _gauge("remora_replica_ready", "1 when the replica serves the production that it follows.")
        self._refused = _gauge("remora_refused_bundles", "Bundles that the replica shall hold and cannot open.")
        self._unrecorded = _gauge(
            "remora_unrecorded_alias_moves", "Aliases that were moved in MLflow without a promotion record."
        )
        self._candidates = _counter("remora_candidates_total", "Candidates after each stage.", "surface", "stage")
        self._stages = metrics.Histogram(
            "remora_stage_milliseconds",
            description="Time in each stage, and in total.",
            boundaries=MILLISECONDS,
            tag_keys=("surface", "stage"),  # type: ignore[arg-type]  # Ray's hint allows one key only
        )

    def answered(self, asked: Query, slate: Slate, response: RecommendResponse) -> None:
        """Count one response and what led to it."""
        surface = {"surface": response.surface}
        self._requests.inc(1, surface | {"bundle": response.bundle})
        if response.items:
            self._items.inc(len(response.items), surface)
        if len(response.items) < asked.n:
            self._short.inc(1, surface | {"kind": "short" if response.items else "empty"})
        for stage, count in slate.counts.items():
            if count:
                self._candidates.inc(count, surface | {"stage": stage})
        for reason in response.degraded:
            self._degraded.inc(1, surface | {"reason": reason.split(":")[0]})
        for stage, milliseconds in response.timings_ms.items():
            self._stages.observe(milliseconds, surface | {"stage": stage})

    def fell_back(self, surface: str, rung: str) -> None:
        """Count one slate of the fallback chain, by the rung that gave it."""
        self._fallbacks.inc(1, {"surface": surface, "rung": rung})

    def standing(self, *, ready: bool, refused: int, unrecorded: int) -> None:
        """Show how the replica stands now."""
        for gauge, value in ((self._ready, int(ready)), (self._refused, refused), (self._unrecorded, unrecorded)):
            gauge.set(value)

    def looked_up(self, cache: str, found: bool) -> None:
        """Count one look-up."""
        self._looked_up.inc(1, {"cache": cache, "outcome": "hit" if found else "miss"})


def _counter(name: str, description: str, *labels: str) -> metrics.Counter:
    return metrics.Counter(name, description=description, tag_keys=labels)  # type: ignore[arg-type]


def _gauge(name: str, description: str) -> metrics.Gauge:
    return metrics.Gauge(name, description=description)
