"""Paths of a node's own disk: whole, since a process that reads the settings may run in any working directory."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

MAX_PART_BYTES = 255
"""Of a folder's or file's name, on every usual file system."""


def _whole(path: str) -> str:
    if not path.isprintable() or "://" in path:
        raise ValueError("it is no path of a disk")
    try:
        found = Path(path).expanduser()
    except RuntimeError as error:
        raise ValueError(f"{error} Write the whole path") from error
    if not found.is_absolute():
        raise ValueError(f"'{path}' depends on the working directory, which is another in a replica: write it whole")
    if any(len(part.encode()) > MAX_PART_BYTES for part in found.parts):
        raise ValueError(f"a name in it has more than {MAX_PART_BYTES} bytes")
    return path


LocalPath = Annotated[str, Field(min_length=1), AfterValidator(_whole)]
"""An absolute path, or one below ``~``."""
