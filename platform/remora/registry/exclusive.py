"""One process at a time."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

from remora.contracts.errors import NotReady
from remora.contracts.home import Home, storage_errors


@contextlib.contextmanager
def exclusive(home: Home, path: str, *, waits: bool = True) -> Iterator[None]:
    """Hold the lock file ``path`` of a local home; the kernel lets go when the process dies, however it dies.

    Without ``waits`` it is NotReady while another process holds it.

    A home on S3 has no locks: there each step is atomic by itself, and of two racing changes the last one stands.
    """
    if not home.is_local:
        yield
        return
    file = Path(home.at(path))
    with storage_errors(str(file)):
        file.parent.mkdir(parents=True, exist_ok=True)
        handle = file.open("w")
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if waits else fcntl.LOCK_NB))
        except BlockingIOError as held:
            raise NotReady(f"Another process holds {file}. Wait until it has ended, or ask it to end.") from held
        yield
