"""Follows the items that are sent, in a thread of each replica: what it learns is in the next slate."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from remora.core.errors import RemoraError
from remora.events.entity_update import EntityUpdate
from remora.serving.bundle_follower import BundleFollower
from remora.serving.loaded_bundle import ItemStates, LoadedBundle
from remora.surfaces.warmup_queries import probes

POLL_SECONDS = 0.2

MOST_PAUSE_SECONDS = 0.4
"""Between two swaps. What comes meanwhile is swapped in together, so that swaps take little of a replica's time."""

PAUSE_OF_A_SWAP = 4.0
"""Times of the last swap."""

SECONDS_AFTER_AN_ERROR = 1.0

logger = logging.getLogger(__name__)


@dataclass(kw_only=True)
class ItemStats:
    """How a follower stands: is it up to date as far as it can tell, and when was the last item sent that it has
    swapped in, and when did it do so?"""

    follows: bool = True
    sent: datetime | None = None
    swapped: datetime | None = None


class ItemFollower:
    """Gives every bundle of a replica the items that ``states`` tells of, which is asked for them once, and again after
    an error.

    A swap makes the stages of all bundles again, lets each surface answer once, and is one assignment: a request that
    has begun ends with what it began with.
    """

    def __init__(self, states: Callable[[], ItemStates | None], bundles: BundleFollower) -> None:
        self._open, self._bundles = states, bundles
        self._states: ItemStates | None = None
        self._waiting: dict[str, EntityUpdate] = {}
        self._ended, self._error = threading.Event(), ""
        self.stats = ItemStats()

    def begin(self) -> bool:
        """Take what was sent so far, before the first request. False where nothing is followed.

        Where the log cannot be read, the replica serves without it until it can.
        """
        self._attempt(0.0)
        return self._states is not None or not self.stats.follows

    def run(self) -> None:
        """Follow in a thread that ends with the process, or with :meth:`close`."""
        threading.Thread(target=self._loop, name="items", daemon=True).start()

    def close(self) -> None:
        """Follow no longer."""
        self._ended.set()

    def turn(self, seconds: float = POLL_SECONDS) -> float:
        """Take what came, waiting at most so long for it; the time in seconds that the swap took. Errors of the log are
        raised, and nothing is lost by them."""
        if self._states is None:
            self._states = self._open()
            if self._states is None:
                return 0.0
            self._waiting |= self._states.current
        self._waiting |= {update.id: update for update in self._states.poll(seconds)}
        if not self._waiting:
            return 0.0
        begun = time.monotonic()
        # A copy: a bundle may be opened while the states change.
        every, updates = [*self._states.current.values()], [*self._waiting.values()]
        self._bundles.renew(lambda held: _with(held, updates), lambda opened: _with(opened, every))
        self._waiting.clear()
        self.stats.sent, self.stats.swapped = max(update.instant for update in updates), datetime.now(UTC)
        return time.monotonic() - begun

    def _loop(self) -> None:
        while not self._ended.is_set():
            self._ended.wait(self._attempt(POLL_SECONDS))

    def _attempt(self, seconds: float) -> float:
        """A turn, and the pause in seconds after it."""
        try:
            took = self.turn(seconds)
        except Exception as error:  # a broker that is out, or a bundle's own code: it may come back
            if (reason := f"{type(error).__name__}: {error}") != self._error:
                logger.error(
                    "the items that are sent cannot be followed for now, and slates are made without them: %s",
                    reason,
                    exc_info=not isinstance(error, RemoraError),
                )
            self.stats.follows, self._error = False, reason
            return SECONDS_AFTER_AN_ERROR
        self.stats.follows, self._error = True, ""
        return min(MOST_PAUSE_SECONDS, PAUSE_OF_A_SWAP * took)


def _with(loaded: LoadedBundle, updates: Iterable[EntityUpdate]) -> LoadedBundle:
    """The bundle with the updates, ready: what stages make at their first request is made here."""
    made = loaded.with_items(updates)
    for query in probes(loaded.opened):
        made.run(query)
    return made
