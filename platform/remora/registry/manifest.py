"""What a bundle holds: its files by hash. The hash of the manifest is the bundle's id."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from pathlib import PurePosixPath

from pydantic import BaseModel, ConfigDict

from remora.contracts.errors import Refused

MANIFEST = "manifest.json"
FORMATS = (".safetensors", ".ubj", ".parquet", ".faiss", ".json", ".md")
"""Nothing that executes when it is loaded."""

ID = re.compile(r"[0-9a-f]{16}")


class FileEntry(BaseModel):
    """One file's SHA-256 in hex and its size."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sha256: str
    bytes: int


class Manifest(BaseModel):
    """Files by their path in the bundle, and the surfaces that the bundle serves."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int = 1
    surfaces: tuple[str, ...]
    files: dict[str, FileEntry]

    @property
    def canonical(self) -> bytes:
        """The one way in which this manifest is written: JSON with sorted keys."""
        ordered = self.model_copy(update={"files": dict(sorted(self.files.items()))})
        return ordered.model_dump_json(indent=1).encode() + b"\n"

    @property
    def id(self) -> str:
        """The first 16 hex digits of the SHA-256 of :attr:`canonical`."""
        return hashlib.sha256(self.canonical).hexdigest()[:16]


def check_paths(paths: Iterable[str]) -> None:
    """Refused for a path that leaves the bundle, or of a format that is not listed."""
    for path in paths:
        parts = PurePosixPath(path)
        if parts.is_absolute() or ".." in parts.parts or str(parts) != path or path == MANIFEST:
            raise Refused(f"A bundle cannot hold a file at '{path}': use a plain relative path other than {MANIFEST}.")
        if parts.suffix not in FORMATS:
            raise Refused(
                f"A bundle cannot hold '{path}': its format is not one of {', '.join(FORMATS)}. Bundles hold nothing "
                f"that executes when it is loaded."
            )
