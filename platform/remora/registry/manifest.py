"""What a bundle holds: its files by hash. The hash of the manifest is the bundle's id."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from pathlib import PurePosixPath

from pydantic import BaseModel, ConfigDict, ValidationError

from remora.contracts.errors import ForeignFormat, Refused, Tampered
from remora.registry.signature import SIGNATURE

MANIFEST = "manifest.json"
FORMAT = 1
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

    format: int = FORMAT
    surfaces: tuple[str, ...]
    files: dict[str, FileEntry]

    @classmethod
    def parse(cls, content: bytes, where: str, id: str) -> Manifest:
        """The manifest of the bundle ``id``, from what the file ``where`` holds.

        ForeignFormat for another version's, Tampered when it is not that of ``id``, Refused for a path or a format of
        file that no bundle may hold.
        """
        try:
            written = json.loads(content)
        except ValueError as error:
            raise Tampered(where, id, "– (it is no JSON)") from error
        found = written.get("format", FORMAT) if isinstance(written, dict) else FORMAT
        if found != FORMAT:
            raise ForeignFormat(where, found, FORMAT)
        try:
            manifest = cls.model_validate(written)
        except ValidationError as error:
            raise Tampered(where, id, f"– ({error.error_count()} mistakes in it)") from error
        if manifest.id != id:
            raise Tampered(where, id, manifest.id)
        check_paths(manifest.files)
        return manifest

    @property
    def canonical(self) -> bytes:
        """The one way in which this manifest is written: JSON with sorted keys."""
        ordered = self.model_copy(update={"files": dict(sorted(self.files.items()))})
        return ordered.model_dump_json(indent=1).encode() + b"\n"

    @property
    def id(self) -> str:
        """The first 16 hex digits of the SHA-256 of :attr:`canonical`."""
        return hashlib.sha256(self.canonical).hexdigest()[:16]

    @property
    def bytes(self) -> int:
        """Of all files together."""
        return sum(entry.bytes for entry in self.files.values())


def check_paths(paths: Iterable[str]) -> None:
    """Refused for a path that leaves the bundle, or of a format that is not listed."""
    for path in paths:
        parts = PurePosixPath(path)
        own = path in (MANIFEST, SIGNATURE)
        if parts.is_absolute() or ".." in parts.parts or str(parts) != path or "\\" in path or own:
            raise Refused(
                f"A bundle cannot hold a file at '{path}': use a plain relative path other than {MANIFEST} and "
                f"{SIGNATURE}."
            )
        if parts.suffix not in FORMATS:
            raise Refused(
                f"A bundle cannot hold '{path}': its format is not one of {', '.join(FORMATS)}. Bundles hold nothing "
                f"that executes when it is loaded."
            )
