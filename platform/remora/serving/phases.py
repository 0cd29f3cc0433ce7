"""The three phases of a request, each as one deployment runs it; fused serving and batch run them in a row."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from remora.contracts.errors import NotReady
from remora.pipeline import Hydrator, Query, Slate
from remora.pipeline.runner import Passage
from remora.serving.loaded_bundle import LoadedBundle

USER_UNKNOWN = "user_unknown"
"""Nothing is known of the user, so the slate is not personal: trending and popular items, ranked."""
USER_STORE = "user_store"
"""The online store is out, or is left alone after several outages in a row; the slate is not personal."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Errand:
    """A request on its way between phases: rows of it mean items of ``bundle``."""

    bundle: str
    query: Query
    passage: Passage


class BundleMismatch(NotReady):
    """A phase was asked to continue with rows of another bundle than its own, as happens while one replaces another."""

    def __init__(self, asked: str, here: str) -> None:
        super().__init__(asked, here)

    def __str__(self) -> str:
        """Name both bundles."""
        asked, here = self.args
        return f"the request is of bundle {asked}, this replica serves {here}"


@dataclass(frozen=True)
class Phases:
    """A loaded bundle at work. Only the first phase needs ``users``."""

    loaded: LoadedBundle
    users: Hydrator | None = None

    def run(self, query: Query) -> Slate:
        """The slate of one query, all phases here."""
        return self.rank(self.filter(self.retrieve(self.loaded.bundle, query)))

    def retrieve(self, bundle: str, query: Query) -> Errand:
        """Find out who asks, then ask the sources."""
        self.check(bundle)
        query, reasons, milliseconds = self._recognised(query)
        passage = self.loaded.surfaces[query.surface].retrieve(query)
        passage = replace(
            passage,
            degraded=(*reasons, *passage.degraded),
            timings_ms={"user": milliseconds, **passage.timings_ms},
        )
        return Errand(bundle=bundle, query=query, passage=passage)

    def filter(self, errand: Errand) -> Errand:
        """Keep what may be shown."""
        errand = self._readable(errand)
        passage = self.loaded.surfaces[errand.query.surface].filter(errand.query, errand.passage)
        return replace(errand, passage=passage)

    def rank(self, errand: Errand) -> Slate:
        """Score, order and cut."""
        errand = self._readable(errand)
        return self.loaded.surfaces[errand.query.surface].rank(errand.query, errand.passage)

    def _recognised(self, query: Query) -> tuple[Query, tuple[str, ...], float]:
        if query.user_id is None or self.users is None:
            return query, (), 0.0
        start = time.perf_counter()
        reasons: tuple[str, ...] = ()
        try:
            query = self.users.hydrate(query)
            if not query.user_found:
                reasons = (f"{USER_UNKNOWN}: nothing is known of '{query.user_id}', so the slate is not personal",)
        except NotReady as reason:
            reasons = (f"{USER_STORE}: {reason}",)
        return query, reasons, (time.perf_counter() - start) * 1e3

    def _readable(self, errand: object) -> Errand:
        """NotReady for what is no errand of this bundle: another phase may be of another version, or broken."""
        if not isinstance(errand, Errand):
            raise NotReady(f"a phase handed on {type(errand).__name__} in place of an errand")
        self.check(errand.bundle)
        return errand

    def check(self, bundle: str) -> None:
        """BundleMismatch unless it is this one."""
        if bundle != self.loaded.bundle:
            raise BundleMismatch(bundle, self.loaded.bundle)
