"""A log in memory."""

from __future__ import annotations

import errno
import json
import threading
from collections.abc import Sequence
from typing import Any


class Memory:
    """A log in memory whose disk can be full, or slow."""

    def __init__(self) -> None:
        self.records: list[bytes] = []
        self.appends = 0
        self.full = False
        self.open = threading.Event()
        self.open.set()
        self.sealed = False

    def append(self, records: Sequence[bytes]) -> None:
        self.open.wait()
        self.appends += 1
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.records += records

    def seal_if_old(self) -> None:
        pass

    def seal(self) -> None:
        self.sealed = True

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(record) for record in self.records]
