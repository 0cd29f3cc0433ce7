"""The bundles that a replica holds: it follows the traffic, loads what is named, and switches by one reference."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from remora.control.traffic import PRODUCTION, Traffic
from remora.core.errors import NotReady, UnreadableInput
from remora.serving.load_guard import LoadInProgress
from remora.serving.loaded_bundle import LoadedBundle
from remora.serving.stage_request import BundleMismatch, StageRequest

RETRY_LOOKS = 60
BETWEEN_TRIES_SECONDS = 0.2

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class ActiveTraffic:
    """Who serves whom, and with what: a request takes this once, so that it is answered by one bundle."""

    traffic: Traffic
    loaded: Mapping[str, LoadedBundle]

    def assign(self, unit: str) -> tuple[str, str]:
        """Bundle and variant for a user; production where this replica does not have the canary yet."""
        bundle, variant = self.traffic.assign(unit)
        return (bundle, variant) if bundle in self.loaded else (self.traffic.production, PRODUCTION)

    @property
    def production(self) -> LoadedBundle:
        """What serves whoever nothing else is meant for."""
        return self.loaded[self.traffic.production]

    def of(self, bundle: str) -> LoadedBundle:
        """That bundle; BundleMismatch where this replica does not have it."""
        found = self.loaded.get(bundle)
        if found is None:
            raise BundleMismatch(bundle, self.traffic.production)
        return found

    def meant(self, request: object) -> LoadedBundle:
        """The bundle that can continue with a request, as :meth:`of`; NotReady for what is no request: the phase before
        may be of another version, or broken."""
        if not isinstance(request, StageRequest):
            raise NotReady(f"a phase handed on {type(request).__name__} in place of a request")
        return self.of(request.bundle)


class BundleFollower:
    """Follows ``traffic``, beginning with ``first``, and opens bundles by ``opened``, which loads and warms up one and
    takes seconds.

    A bundle that cannot be opened is ``refused``, by id with the reason, and what served before continues. It is tried
    again when the traffic changes, and now and then: the home may have been out. While the traffic's document is
    damaged, all continues as it was last told; ``damage`` says why.
    """

    def __init__(
        self,
        traffic: Callable[[], Traffic],
        opened: Callable[[str], LoadedBundle],
        first: Callable[[], Traffic] | None = None,
    ) -> None:
        self._traffic, self._opened = traffic, opened
        self.load_errors: dict[str, str] = {}
        self.damage = ""
        self._looks = 0
        self._lock = threading.Lock()  # around what replaces `active`
        self._renewed: Callable[[LoadedBundle], LoadedBundle] = lambda opened: opened
        self._desired = (first or traffic)()
        self.active = self._first(self._desired)

    def _first(self, desired: Traffic) -> ActiveTraffic:
        """Production, and where it cannot be opened what was before it."""
        try:
            return ActiveTraffic(traffic=desired, loaded={desired.production: self._waited_for(desired.production)})
        except Exception as error:
            if desired.previous is None:
                raise
            self._refuse(desired.production, error)
            logger.exception("bundle %s cannot be served, so %s is", desired.production, desired.previous)
            before = desired.model_copy(update={"production": desired.previous, "previous": None})
            return ActiveTraffic(traffic=before, loaded={desired.previous: self._waited_for(desired.previous)})

    def _waited_for(self, bundle: str) -> LoadedBundle:
        """Opened here, after another replica's first opening where that continues."""
        while True:
            try:
                return self._opened(bundle)
            except LoadInProgress:
                threading.Event().wait(BETWEEN_TRIES_SECONDS)

    @property
    def is_current(self) -> bool:
        """Does the production that the traffic names serve here?"""
        return self.active.traffic.production == self._desired.production

    def refresh(self) -> bool:
        """Look once: switch to what is desired, and load what of it is missing. Has anything changed?"""
        desired = self._followed()
        self._looks += 1
        if desired.revision != self._desired.revision or self._looks % RETRY_LOOKS == 0:
            self.load_errors.clear()
        self._desired = desired
        changed = self._switch(desired)
        for bundle in desired.bundles:
            if bundle not in self.active.loaded and bundle not in self.load_errors:
                try:
                    self._switch(desired, bundle, self._opened(bundle))
                except LoadInProgress:
                    continue
                except Exception as error:  # whatever is wrong with one bundle, the others continue serving
                    self._refuse(bundle, error)
                    logger.exception("bundle %s cannot be served, what serves continues", bundle)
                changed = True
        return changed

    def renew(
        self, made: Callable[[LoadedBundle], LoadedBundle], opened: Callable[[LoadedBundle], LoadedBundle]
    ) -> None:
        """Put what ``made`` makes of each bundle that is held in its place, all at once, and what ``opened`` makes of
        each that is opened from now on. One that cannot be made stays as it is, and the others are put in place before
        its error is raised."""
        failed: Exception | None = None
        with self._lock:
            held = dict(self.active.loaded)
            for bundle, loaded in held.items():
                try:
                    held[bundle] = made(loaded)
                except Exception as error:  # of one bundle's own code; what is deleted is so in the others
                    logger.debug("bundle %s stays as it is", bundle, exc_info=True)
                    failed = failed or error
            self.active, self._renewed = replace(self.active, loaded=held), opened
        if failed is not None:
            raise failed

    def _followed(self) -> Traffic:
        """What is desired now; what it was before while the document is damaged, which is logged when it is seen."""
        try:
            desired, damage = self._traffic(), ""
        except UnreadableInput as error:
            desired, damage = self._desired, str(error)
        if damage and damage != self.damage:
            logger.error("%s", damage)
        self.damage = damage
        return desired

    def _switch(self, desired: Traffic, bundle: str = "", loaded: LoadedBundle | None = None) -> bool:
        """Activate ``desired`` with those of what is held that it names, and ``bundle``, which was ``loaded``; without
        its production, continue as before, and keep what of it is here until then."""
        with self._lock:
            opened = {} if loaded is None else {bundle: self._renewed(loaded)}
            return self._activate(desired, {**self.active.loaded, **opened})

    def _activate(self, desired: Traffic, held: Mapping[str, LoadedBundle]) -> bool:
        traffic = desired if desired.production in held else self.active.traffic
        named = {*desired.bundles, *traffic.bundles}
        after = ActiveTraffic(traffic=traffic, loaded={b: loaded for b, loaded in held.items() if b in named})
        if after.traffic.production != self.active.traffic.production:
            logger.info("bundle %s serves in place of %s", after.traffic.production, self.active.traffic.production)
        changed = after.traffic != self.active.traffic or after.loaded.keys() != self.active.loaded.keys()
        # One assignment, so that a request that reads it meanwhile has the one or the other whole.
        self.active = after
        return changed

    def _refuse(self, bundle: str, error: Exception) -> None:
        self.load_errors[bundle] = f"{type(error).__name__}: {error}"

    def run(self, every_seconds: float, looked: Callable[[bool], None]) -> None:
        """Refresh repeatedly, in a thread that ends with the process; ``looked`` gets whether anything changed.

        A look that fails, as when the home is out for a moment, changes nothing.
        """

        def loop() -> None:
            while not pause.wait(every_seconds):
                try:
                    looked(self.refresh())
                except Exception:  # the next look is soon
                    logger.exception("the traffic cannot be followed for now; what serves continues")

        pause = threading.Event()
        threading.Thread(target=loop, name="bundles", daemon=True).start()
