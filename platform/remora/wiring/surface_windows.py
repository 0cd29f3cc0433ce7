"""A window of the lake with the queries that its surfaces are asked, made ready once for all of them."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import pyarrow as pa

from remora.datasets.queries import queries, sampled
from remora.datasets.splits import Window
from remora.features.store import open_store
from remora.ingest.lake import Lake
from remora.settings import Settings
from remora.wiring.replay_window import ReplayWindow

log = logging.getLogger(__name__)


class AskedWindow(NamedTuple):
    """Queries, and the window made ready for them; None where there is no query."""

    queries: pa.Table
    window: ReplayWindow | None


@dataclass(frozen=True, kw_only=True)
class SurfaceWindows:
    """At most ``most`` queries of ``window``, drawn evenly by ``seed``.

    What a target is depends on whether a surface hides what was seen: surfaces that do share their queries, and so do
    those that do not.
    """

    settings: Settings
    lake: Lake
    window: Window
    most: int
    seed: int

    def of(self, surface: str) -> AskedWindow:
        """What a surface of the settings is asked. Needs a Ray cluster."""
        hide_seen = self.settings.surfaces[surface].hide_seen
        if hide_seen not in self._made:
            self._made[hide_seen] = self._prepared(hide_seen)
        return self._made[hide_seen]

    def _prepared(self, hide_seen: bool) -> AskedWindow:
        found = queries(self.settings, self.lake, self.window, hide_seen=hide_seen)
        asked = sampled(found, self.most, self.seed)
        if not len(asked):
            return AskedWindow(asked, None)
        log.info(
            "%d of %d queries between %s and %s",
            len(asked),
            len(found),
            self.window.start.date(),
            self.window.end.date(),
        )
        store, vocabulary = open_store(self.settings), self.lake.vocabulary()
        return AskedWindow(asked, ReplayWindow.prepare(self.settings, self.lake, store, self.window, asked, vocabulary))

    @cached_property
    def _made(self) -> dict[bool, AskedWindow]:
        return {}
