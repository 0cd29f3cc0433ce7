"""Folders for temporary files: for their owner alone, under names that cannot be guessed, gone with their process."""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import functools
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SHORT = Path("/tmp")
"""Where folders with unix sockets lie: a socket's path has at most 107 characters."""

OWNER = ".owner"
"""A file in the folder that its process locks: the kernel frees it when the process dies, however it dies."""

UNFINISHED_SECONDS = 3_600
"""Older folders without that file were left by a process that died while it made them."""

_made: list[PrivateFolder] = []


@dataclass(frozen=True)
class PrivateFolder:
    """A folder with mode 0700 that is removed when this process ends, or by a later one when this one is killed."""

    path: Path
    lock: int

    @classmethod
    def make(cls, parent: Path | str | None = None) -> PrivateFolder:
        """A new folder in ``parent`` (default: where the system keeps temporary files).

        Folders there whose processes have died are removed first.
        """
        place = Path(parent or tempfile.gettempdir())
        remove_abandoned(place)
        _watch_the_end()
        path = Path(tempfile.mkdtemp(prefix=_prefix(), dir=place))
        lock = os.open(path / f"{OWNER}.new", os.O_CREAT | os.O_RDWR, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
        os.rename(path / f"{OWNER}.new", path / OWNER)  # from here on a free lock means a dead owner
        made = cls(path, lock)
        _made.append(made)
        return made

    def hand_over(self) -> None:
        """Leave it to a child that was started with ``lock`` open: the folder now lasts as long as the child."""
        _made.remove(self)
        os.close(self.lock)

    def remove(self) -> None:
        """Remove it with all that is in it."""
        _made.remove(self)
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self.lock)


def remove_own() -> None:
    """Remove every folder that this process still has: at its end, before ``os._exit`` too."""
    for folder in tuple(_made):
        folder.remove()


def remove_abandoned(parent: Path | str | None = None) -> None:
    """Remove this user's folders in ``parent`` whose processes have died; a stranger's are not looked into."""
    for folder in abandoned(parent):
        shutil.rmtree(folder, ignore_errors=True)


def abandoned(parent: Path | str | None = None) -> Iterator[Path]:
    """This user's private folders in ``parent`` whose processes have died."""
    for folder in Path(parent or tempfile.gettempdir()).glob(f"{_prefix()}*"):
        if _is_mine(folder) and _is_abandoned(folder):
            yield folder


def _prefix() -> str:
    return f"remora-{os.getuid()}-"


def _is_mine(folder: Path) -> bool:
    """A folder, not a link to one, that is mine and that only I may enter."""
    try:
        found = folder.lstat()
    except FileNotFoundError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not stat.S_IMODE(found.st_mode) & 0o077


def _is_abandoned(folder: Path) -> bool:
    try:
        with (folder / OWNER).open("rb") as owner:
            fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
    except BlockingIOError:
        return False
    except OSError:  # no such file: it is being made, or its maker died
        with contextlib.suppress(FileNotFoundError):
            return time.time() - folder.lstat().st_mtime > UNFINISHED_SECONDS
        return False


@functools.cache
def _watch_the_end() -> None:
    """Remove what this process has when it ends; a forked child has none of it."""
    atexit.register(remove_own)
    os.register_at_fork(after_in_child=_made.clear)
