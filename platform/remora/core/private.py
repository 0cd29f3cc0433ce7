"""What is in a home is its owner's alone: files 0600, folders 0700."""

from __future__ import annotations

import os
from pathlib import Path

OTHERS = 0o077
"""What the group and all others may do."""


def keep_private() -> None:
    """Let this process, and those that it starts, make files and folders that only their owner can open."""
    os.umask(OTHERS)


def make_private(home: Path, *, is_home: bool) -> None:
    """Make the folder of a local home, for its owner alone; one that ``is_home`` already is closed to others.

    A folder that was there and is no home yet keeps its mode: it may be shared with what is not Remora's.
    """
    home.parent.mkdir(parents=True, exist_ok=True)
    try:
        home.mkdir(mode=0o700)
    except FileExistsError:
        found = home.stat()
        if found.st_mode & OTHERS and found.st_uid == os.geteuid() and (is_home or not any(home.iterdir())):
            home.chmod(found.st_mode & 0o700)
