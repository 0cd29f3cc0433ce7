"""SHA-256 of a home's files: of one, and of many at once, which are read again only when they have changed.

A file of a version is never written again, so within one process a file with the same inode, size and time of change
as before has the content that was hashed before.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from remora.core.home import Home

THREADS = 8
PIECE = 1 << 20
MISSING = "– (the file is missing)"

_known: dict[str, tuple[tuple[int, int, int], str]] = {}
"""Path -> inode, size and time of change in nanoseconds, and the hash of that content."""


def sha256(home: Home, path: str) -> str:
    """SHA-256 of one file of a home, in hex, read in pieces."""
    digest = hashlib.sha256()
    with home.filesystem.open_input_stream(home.at(path)) as stream:
        while piece := stream.read(PIECE):
            digest.update(piece)
    return digest.hexdigest()


def hash_at(home: Home, path: str) -> str:
    """SHA-256 of a file in hex; :data:`MISSING` when none exists."""
    return sha256(home, path) if home.exists(path) else MISSING


def hashes(home: Home, paths: Iterable[str]) -> dict[str, str]:
    """As :func:`hash_at`, of files of a local home; those that this process has hashed as they are, are not read."""
    chosen = list(paths)
    with ThreadPoolExecutor(THREADS) as pool:
        return dict(zip(chosen, pool.map(lambda path: _once(home, path), chosen), strict=True))


def _once(home: Home, path: str) -> str:
    file = Path(home.at(path))
    try:
        state = _state(os.stat(file))
    except FileNotFoundError:
        return MISSING
    known = _known.get(str(file))
    if known is None or known[0] != state:
        known = _known[str(file)] = state, hash_at(home, path)
    return known[1]


def _state(info: os.stat_result) -> tuple[int, int, int]:
    return info.st_ino, info.st_size, info.st_mtime_ns
