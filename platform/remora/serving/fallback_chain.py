"""What is shown when no slate was made in time: the user's last one, the segment's popular items, popular items."""

from __future__ import annotations

from dataclasses import replace

from remora.pipeline import Pipeline, Query, Slate
from remora.pipeline.cache import Listener, ignored
from remora.pipeline.deadline import NEVER
from remora.serving.cached_slate import CachedSlate

CACHED_SLATE = "cached_slate"
"""The user's last whole slate, where this replica has one."""

SOURCE_FALLBACK = "{}_fallback"
"""What a source of the chain gave, as `popular_in_segment_fallback` where the request's context names a segment. A
source has a name of its own here: in other slates the source may be skipped."""

POPULAR_FALLBACK = "popular_fallback"
"""Nothing of the above: popular items that are available."""


class FallbackChain:
    """The fallbacks of one bundle, over ``pipeline``, which needs arrays in memory only; whichever answers is filled
    up with popular items. The slate's ``degraded`` begins with the fallback's code and the reason.

    ``looked_up`` is called with whether a cached slate was there; ``cache`` has the slates that were kept. Used by the
    event loop alone: it has no lock.
    """

    def __init__(self, pipeline: Pipeline, cache: CachedSlate, *, looked_up: Listener = ignored) -> None:
        self._pipeline, self.cache, self._looked_up = pipeline, cache, looked_up

    def keep(self, query: Query, slate: Slate) -> None:
        """Remember a slate that was made in time."""
        self.cache.keep(query, slate, self._pipeline.live_from)

    def slate(self, query: Query, reason: str) -> tuple[Slate, str]:
        """The best slate that there is in place of that of ``query``, and the code of the fallback that gave it."""
        query = replace(query, retrieval_deadline=NEVER, ranking_deadline=NEVER)
        slate, code = self._cached(query) or self._popular(query)
        return replace(slate, degraded=(f"{code}: {reason}", *slate.degraded)), code

    def _cached(self, query: Query) -> tuple[Slate, str] | None:
        slate = replace(self._pipeline, sources={CACHED_SLATE: self.cache}).run(query)
        found = slate.counts[CACHED_SLATE] > 0
        self._looked_up(CACHED_SLATE, found)
        return (slate, CACHED_SLATE) if found else None

    def _popular(self, query: Query) -> tuple[Slate, str]:
        slate = self._pipeline.run(query)
        gave = (SOURCE_FALLBACK.format(name) for name in self._pipeline.sources if slate.counts[name])
        return slate, next(gave, POPULAR_FALLBACK)
