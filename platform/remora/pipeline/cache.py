"""A bounded cache for several threads, which says of every look-up whether it knew."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from cachetools import TLRUCache

V = TypeVar("V")

Listener = Callable[[str, bool], None]
"""Told the cache's name, and whether it knew."""


def ignored(cache: str, found: bool) -> None:
    """Listens to nothing."""


class Cache(Generic[V]):
    """The ``max_size`` values used last, each for ``ttl_seconds`` at the longest; pickled, it arrives empty.

    ``listener`` hears of every :meth:`get`.
    """

    def __init__(
        self, name: str, max_size: int, ttl_seconds: float = math.inf, timer: Callable[[], float] = time.monotonic
    ):
        self.name, self.listener = name, ignored
        self._made_of = (name, max_size, ttl_seconds, timer)
        self._lock = threading.Lock()
        self._kept: TLRUCache[Hashable, V] = TLRUCache(max_size, lambda key, value, now: now + ttl_seconds, timer)

    def get(self, key: Hashable) -> V | None:
        """What is kept under ``key``; None where nothing is, or it is too old."""
        with self._lock:
            found = self._kept.get(key)
        # Outside the lock, so that no thread waits for a listener.
        self.listener(self.name, found is not None)
        return found

    def put(self, key: Hashable, value: V) -> None:
        """Keep ``value`` from now on."""
        with self._lock:
            self._kept[key] = value

    def __len__(self) -> int:
        return len(self._kept)

    def __reduce__(self) -> tuple[type[Cache[V]], tuple[object, ...]]:
        return Cache, self._made_of
