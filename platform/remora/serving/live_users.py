"""The deployment that keeps the live state of users: it follows the log of events and writes rows online."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from contextlib import ExitStack

from ray import serve

from remora.core.errors import NotBuilt, NotReady, RemoraError
from remora.core.home import Home
from remora.core.locks import exclusive_lock
from remora.features.live.beginning import serving_tables
from remora.features.live.row_store import LiveRowStore
from remora.features.live.users import LiveUsers
from remora.serving.metrics import LiveMetrics
from remora.settings import Settings

SECONDS_OF_A_TURN = 0.05
SECONDS_BETWEEN_LOOKS = 1.0
"""At which feature tables serve, and at whether another process still writes."""

SECONDS_AFTER_AN_ERROR = 1.0
REMEMBERED_SECONDS = 60.0
"""Whose events came so recently that a writer that died may not have written their rows."""

HANGS_AFTER_SECONDS = 120.0

logger = logging.getLogger(__name__)


@serve.deployment
class LiveUsersReplica:
    """One writer, or one that stands by: all follow the log, and whoever has the lock of the home's disk writes."""

    def __init__(self, settings: Settings, writer: int) -> None:
        self._settings, self._writer = settings, writer
        self._store = LiveRowStore(settings)
        self._metrics = LiveMetrics(writer)
        self._state: LiveUsers | None = None
        self._next: LiveUsers | None = None
        self._loading: threading.Thread | None = None
        self._lock = ExitStack()
        self._writes = self._settled = False
        self._recent: deque[tuple[float, list[str]]] = deque()
        self._looked = 0.0
        self._turned = time.monotonic()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="live users", daemon=True)
        self._thread.start()

    def __del__(self) -> None:
        """Serve calls it when a replica goes."""
        if hasattr(self, "_ended"):
            self._ended.set()
            self._thread.join(timeout=5)

    async def check_health(self) -> None:
        """NotReady where the thread ended or hangs. What it waits for, such as a broker that is out, is no illness."""
        if not self._thread.is_alive():
            raise NotReady("the thread that keeps the live state has ended")
        if (seconds := time.monotonic() - self._turned) > HANGS_AFTER_SECONDS:
            raise NotReady(f"the live state has been at the same piece of work for {seconds:.0f} s")

    def _run(self) -> None:
        said = ""
        try:
            while not self._ended.is_set():
                self._turned = time.monotonic()
                try:
                    self._turn()
                    said = ""
                except Exception as error:  # a store or a broker that is out, or what a home lacks: it may come back
                    if (reason := f"{type(error).__name__}: {error}") != said:
                        said = reason
                        expected = isinstance(error, RemoraError)
                        logger.warning("the live state waits: %s", reason, exc_info=not expected)
                    self._ended.wait(SECONDS_AFTER_AN_ERROR)
        finally:
            self._lock.close()

    def _turn(self) -> None:
        if time.monotonic() - self._looked >= SECONDS_BETWEEN_LOOKS:
            self._look()
            self._looked = time.monotonic()
        state = self._state
        if state is None:
            self._ended.wait(SECONDS_OF_A_TURN)
            return
        touched = state.take(SECONDS_OF_A_TURN)
        if not self._writes:
            self._remember(touched)
            return
        try:
            state.write(touched)
            if not touched and not state.catch_up() and not self._settled:
                self._store.announce(self._writer, [state.tables])
                self._settled = True
        except Exception:
            state.put_off(touched)
            raise
        self._metrics.show(state.stats)

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
            self._loading = threading.Thread(target=self._load, name="live users load", daemon=True)
            self._loading.start()

    def _serving(self) -> str | None:
        """Which feature tables are online; None while others are being written, or before there are any."""
        try:
            return serving_tables(self._settings)
        except (NotBuilt, NotReady):
            return None

    def _load(self) -> None:
        """Beside the turns, in which the state of before is kept while there is one."""
        try:
            self._next = LiveUsers.open(self._settings, self._store, self._writer)
        except Exception as error:
            logger.warning("the live state cannot begin: %s", error, exc_info=not isinstance(error, RemoraError))
            self._ended.wait(SECONDS_AFTER_AN_ERROR)
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
        self._settled = False

    def _takes_over(self) -> bool:
        """Hold the writer's lock from now on, where no other process does. A home on S3 has none."""
        busy = NotReady("another process writes")
        path = f"events/.live-{self._writer}.lock"
        home = Home(self._settings.home)
        if home.is_local:
            home.make_folder("events")
        try:
            self._lock.enter_context(exclusive_lock(home, path, command="live users", on_busy=lambda: busy))
        except NotReady:
            return False
        return True

    def _remember(self, users: list[str]) -> None:
        now = time.monotonic()
        if users:
            self._recent.append((now, users))
        while self._recent and now - self._recent[0][0] > REMEMBERED_SECONDS:
            self._recent.popleft()
