"""Counters and histograms of the request path, for Prometheus through Ray's own exporter."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from ray.serve import metrics

from remora.control.replica_status import LATENCY_BOUNDS_MS
from remora.features.live.users import LiveStats
from remora.feedback.served_slate import ServedSlate
from remora.pipeline.degradation import code_of

SECONDS = [bound / 1e3 for bound in LATENCY_BOUNDS_MS]
"""Upper bounds of the latency buckets: those by which a rollout compares bundles."""


class ServingMetrics:
    """What Prometheus sees, each under ``ray_``: requests, items, time and candidates of stages, caches, what was
    degraded, short or a fallback, and how the replica stands.
    """

    def __init__(self) -> None:
        self._requests = _counter("remora_requests_total", "Requests that were answered.", "surface", "bundle")
        self._items = _counter("remora_items_served_total", "Items shown.", "surface")
        self._degraded = _counter("remora_degraded_total", "Stages skipped, by what was skipped.", "surface", "reason")
        self._looked_up = _counter("remora_cache_lookups_total", "Look-ups in a cache, by result.", "cache", "result")
        self._short = _counter(
            "remora_underfilled_slates_total", "Slates with fewer items than asked for.", "surface", "reason"
        )
        self._fallbacks = _counter("remora_fallback_slates_total", "Slates of a fallback.", "surface", "fallback")
        self._events = _counter("remora_events_total", "Events that were sent, by what became of them.", "verdict")
        self._entities = _counter(
            "remora_entity_updates_total", "Items and users that were sent, by what became of them.", "kind", "result"
        )
        self._not_logged = _counter("remora_slates_not_logged_total", "Served slates that the log did not take.")
        self._ready = _gauge("remora_replica_ready", "1 when the replica serves the production that it follows.")
        self._refused = _gauge(
            "remora_refused_bundles", "Bundles that the replica cannot open, and 1 where it cannot read traffic.json."
        )
        self._unrecorded = _gauge(
            "remora_unrecorded_alias_moves",
            "Aliases that no promotion record counts for: moved in MLflow, or it is damaged.",
        )
        self._live_items = _gauge(
            "remora_live_items", "Items that the replica serves and the bundle in production does not have."
        )
        self._items_followed = _gauge(
            "remora_items_followed", "0 while the replica cannot follow the items that are sent."
        )
        self._item_lag = _gauge(
            "remora_item_lag_seconds", "From when an item was sent to when slates have it, of the last."
        )
        self._candidates = _counter("remora_candidates_total", "Candidates after each stage.", "surface", "stage")
        self._stages = metrics.Histogram(
            "remora_stage_duration_seconds",
            description="Time in each stage, and in total.",
            boundaries=SECONDS,
            tag_keys=("surface", "stage"),  # type: ignore[arg-type]  # Ray's hint allows one key only
        )

    def answered(self, slate: ServedSlate) -> None:
        """Count one slate and what led to it."""
        surface = {"surface": slate.surface}
        self._requests.inc(1, surface | {"bundle": slate.bundle})
        # Ray's counters refuse an increase of zero.
        if slate.items:
            self._items.inc(len(slate.items), surface)
        if len(slate.items) < slate.requested:
            self._short.inc(1, surface | {"reason": "short" if slate.items else "empty"})
        for stage, count in slate.counts.items():
            if count:
                self._candidates.inc(count, surface | {"stage": stage})
        for reason in slate.degraded:
            # The code alone: the text behind it names users and times, each of which would be a series of its own.
            self._degraded.inc(1, surface | {"reason": code_of(reason)})
        for stage, milliseconds in slate.timings_ms.items():
            self._stages.observe(milliseconds / 1e3, surface | {"stage": stage})

    def event(self, verdict: str, count: int) -> None:
        """Count events that were sent."""
        self._events.inc(count, {"verdict": verdict})

    def entities(self, kind: str, result: str, count: int) -> None:
        """Count items or users that were sent."""
        self._entities.inc(count, {"kind": kind, "result": result})

    def not_logged(self, count: int) -> None:
        """Count served slates that the log did not take."""
        self._not_logged.inc(count)

    def fell_back(self, surface: str, fallback: str) -> None:
        """Count one slate of the fallback chain, by the fallback that gave it."""
        self._fallbacks.inc(1, {"surface": surface, "fallback": fallback})

    def standing(self, *, ready: bool, refused: int, unrecorded: int) -> None:
        """Show how the replica stands now."""
        for gauge, value in ((self._ready, int(ready)), (self._refused, refused), (self._unrecorded, unrecorded)):
            gauge.set(value)

    def items(self, *, live: int, followed: bool, lag_seconds: float | None) -> None:
        """Show how the replica follows the items that are sent."""
        self._live_items.set(live)
        self._items_followed.set(int(followed))
        if lag_seconds is not None:
            self._item_lag.set(lag_seconds)

    def looked_up(self, cache: str, found: bool) -> None:
        """Count one look-up."""
        self._looked_up.inc(1, {"cache": cache, "result": "hit" if found else "miss"})


class LiveMetrics:
    """What Prometheus sees of one writer of the live state."""

    def __init__(self, writer: int) -> None:
        self._writer, self._seen = {"writer": str(writer)}, LiveStats()
        self._events = _counter("remora_live_events_total", "Events that the live state took.", "writer")
        self._rows = _counter("remora_live_rows_total", "Rows of users that the live state wrote.", "writer")
        self._failed = _gauge("remora_live_failed_users", "Users whose row cannot be made.", "writer")
        self._lag = _gauge(
            "remora_live_lag_seconds", "From an event's arrival to its user's row, of the last.", "writer"
        )

    def show(self, stats: LiveStats) -> None:
        """Count what came since the last time, and show how it stands."""
        for counter, name in ((self._events, "events"), (self._rows, "rows")):
            if (more := getattr(stats, name) - getattr(self._seen, name)) > 0:
                counter.inc(more, self._writer)
        if stats.learned is not None and stats.learned != self._seen.learned:
            self._lag.set((datetime.now(UTC) - stats.learned).total_seconds(), self._writer)
        self._failed.set(stats.failed, self._writer)
        self._seen = replace(stats)


def _counter(name: str, description: str, *labels: str) -> metrics.Counter:
    return metrics.Counter(name, description=description, tag_keys=labels)  # type: ignore[arg-type]


def _gauge(name: str, description: str, *labels: str) -> metrics.Gauge:
    return metrics.Gauge(name, description=description, tag_keys=labels)  # type: ignore[arg-type]
