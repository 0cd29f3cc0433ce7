"""One writer of the live state, or one that stands by: follows the log, and writes while it holds the writer's lock."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime

from remora.core.errors import NotBuilt, NotReady, RemoraError
from remora.core.home import Home
from remora.core.locks import exclusive_lock
from remora.features.live.beginning import serving_tables
from remora.features.live.row_store import LiveRowStore
from remora.features.live.users import USERS_AT_ONCE, LiveStats, LiveUsers
from remora.settings import Settings

SECONDS_OF_A_TURN = 0.05
SECONDS_BETWEEN_LOOKS = 1.0
"""At which feature tables serve, and at whether another process still writes."""

SECONDS_BETWEEN_WRITES = 0.03
"""Many events that come one by one are taken together; one that comes alone waits for nothing."""

USERS_BESIDE = 25
SECONDS_BESIDE = 0.25
"""While events come, so many users that wait are written, each time that this has passed: some thirty milliseconds."""

REMEMBERED_SECONDS = 60.0
"""Whose events came so recently that a writer that died may not have written their rows."""

logger = logging.getLogger(__name__)


class LiveWriter:
    """Takes turns (:meth:`turn`) in one thread; a state begins, and begins again with other feature tables, in another.

    All that follow a log have the same state, and whoever has the lock of the home's disk writes. A home on S3 has no
    lock: there one process of a writer may run. ``clock`` gives seconds between turns, ``now`` when it is for the
    users: default the clock of the data.
    """

    def __init__(
        self,
        settings: Settings,
        writer: int,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] | None = None,
    ) -> None:
        self._settings, self._writer, self._clock, self._now = settings, writer, clock, now
        self._store = LiveRowStore(settings)
        self._state: LiveUsers | None = None
        self._next: LiveUsers | None = None
        self._loading: threading.Thread | None = None
        self._lock = ExitStack()
        self._writes = self._settled = False
        self._unsettled = 0
        self._recent: deque[tuple[float, list[str]]] = deque()
        self._looked: float | None = None
        self._wrote = self._caught_up = float("-inf")

    @property
    def stats(self) -> LiveStats | None:
        """Of the state; None before there is one, and while another process writes."""
        return self._state.stats if self._state is not None and self._writes else None

    @property
    def is_settled(self) -> bool:
        """Does this process write, and are all rows in place that were to be made at its beginning?"""
        return self._settled

    def turn(self) -> None:
        """Look, where it is time; take what came; write the rows that it changes. Errors of the log and the store are
        raised, and nothing is lost by them."""
        now = self._clock()
        if self._looked is None or now - self._looked >= SECONDS_BETWEEN_LOOKS:
            self._look()
            self._looked = now
        if self._state is None:
            time.sleep(SECONDS_OF_A_TURN)
            return
        if (pause := self._wrote + SECONDS_BETWEEN_WRITES - now) > 0:
            time.sleep(pause)
        touched = self._state.take(SECONDS_OF_A_TURN)
        if not self._writes:
            self._remember(touched)
            return
        try:
            if touched:
                self._wrote = self._clock()
            self._state.write(touched, at_hand=True)
        except Exception:
            self._state.put_off(touched)
            raise
        self._catch_up(self._state, busy=bool(touched))

    def _catch_up(self, state: LiveUsers, *, busy: bool) -> None:
        """Write rows that wait: many where nothing else is to be done, else a few now and then."""
        now = self._clock()
        if busy and now - self._caught_up < SECONDS_BESIDE:
            return
        self._caught_up = now
        self._unsettled -= state.catch_up(USERS_BESIDE if busy else USERS_AT_ONCE)
        if self._unsettled <= 0 and not self._settled:
            self._store.announce(self._writer, [state.tables])
            self._settled = True

    def close(self) -> None:
        """Let the lock and the logs go."""
        if self._loading is not None:
            self._loading.join()
        for state in (self._state, self._next):
            if state is not None:
                state.close()
        self._lock.close()

    def _look(self) -> None:
        if not self._writes and self._takes_over():
            self._writes = True
            if self._state is not None:
                self._begin_writing(self._state)
        if self._next is not None:
            old, self._state, self._next = self._state, self._next, None
            if old is not None:
                old.close()
            if self._writes:
                self._begin_writing(self._state)
        serving = self._serving()
        if serving is not None and self._loading is None and (self._state is None or self._state.tables != serving):
            self._loading = threading.Thread(target=self._load, name="live users begin", daemon=True)
            self._loading.start()

    def _serving(self) -> str | None:
        """Which feature tables are online; None while others are being written, or before there are any."""
        try:
            return serving_tables(self._settings).artifact.version
        except (NotBuilt, NotReady):
            return None

    def _load(self) -> None:
        try:
            self._next = LiveUsers.open(self._settings, self._store, self._writer, clock=self._now)
        except Exception as error:
            logger.warning("the live state cannot begin: %s", error, exc_info=not isinstance(error, RemoraError))
        finally:
            self._loading = None

    def _begin_writing(self, state: LiveUsers) -> None:
        """Rows of before count until all that differ are written."""
        tables = dict.fromkeys([*self._store.announced(self._writer), state.tables])
        self._store.announce(self._writer, tables)
        for _, users in self._recent:
            state.put_off(users)
        self._recent.clear()
        state.put_off(state.changed_users())
        # Those who are put off later stand behind them.
        self._unsettled, self._settled = state.waiting, False

    def _takes_over(self) -> bool:
        """Hold the writer's lock from now on, where no other process does."""
        busy = NotReady("another process writes")
        path, home = f"events/.live-{self._writer}.lock", Home(self._settings.home)
        if home.is_local:
            home.make_folder("events")
        try:
            self._lock.enter_context(exclusive_lock(home, path, command="live users", on_busy=lambda: busy))
        except NotReady:
            return False
        return True

    def _remember(self, users: list[str]) -> None:
        now = self._clock()
        if users:
            self._recent.append((now, users))
        while self._recent and now - self._recent[0][0] > REMEMBERED_SECONDS:
            self._recent.popleft()
