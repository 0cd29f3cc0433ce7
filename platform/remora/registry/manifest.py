"""What a bundle holds: its files by hash. The hash of the manifest is the bundle's id."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from remora.core.errors import ChecksumMismatch, Refused, UnsupportedFormat
from remora.core.json_document import mistakes
from remora.core.printable import one_line
from remora.registry.signature import SIGNATURE

MANIFEST = "manifest.json"
FORMAT = 7
FORMATS = (".safetensors", ".ubj", ".parquet", ".faiss", ".json", ".md", ".txt")
"""Nothing that executes when it is loaded."""

ID_DIGITS = 32
"""Hex digits of a bundle's id: 128 bits, so that two manifests of one id cannot be found by trying, even by who makes
both."""

ID = re.compile(rf"[0-9a-f]{{{ID_DIGITS}}}")

PREFIX = re.compile(rf"[0-9a-f]{{4,{ID_DIGITS - 1}}}")
"""The beginning of an id, as people type it."""

MOST_FILES = 1_000
PATH = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}(/[A-Za-z0-9][A-Za-z0-9._-]{0,127}){0,7}")
"""Of a file in a bundle: letters, digits, '.', '_' and '-', at most eight folders deep."""

SurfaceName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]


class FileEntry(BaseModel):
    """One file's SHA-256 in hex and its size."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    bytes: int = Field(ge=0)


class Manifest(BaseModel):
    """Files by their path in the bundle, and the surfaces that the bundle serves."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int = FORMAT
    surfaces: tuple[SurfaceName, ...] = Field(max_length=100)
    files: dict[str, FileEntry] = Field(max_length=MOST_FILES)

    @classmethod
    def parse(cls, content: bytes, where: str, id: str, hint: str) -> Manifest:
        """The manifest of the bundle ``id``, from what the file ``where`` holds; ``hint`` says what to do.

        UnsupportedFormat for another version's, ChecksumMismatch when it is not that of ``id``, Refused for one that
        is malformed, and for a path or a format of file that no bundle may hold.
        """
        try:
            written = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise ChecksumMismatch(where, id, "– (it is no JSON)", hint) from error
        found = written.get("format", FORMAT) if isinstance(written, dict) else FORMAT
        if found != FORMAT:
            raise UnsupportedFormat(where, found, FORMAT)
        try:
            manifest = cls.model_validate(written)
        except ValidationError as error:
            raise Refused(f"'{where}' is malformed: {mistakes(error, most=3)}. {hint}") from error
        if manifest.id != id:
            raise ChecksumMismatch(where, id, manifest.id, hint)
        check_paths(manifest.files)
        return manifest

    @property
    def canonical(self) -> bytes:
        """The one way in which this manifest is written: JSON with sorted keys."""
        ordered = self.model_copy(update={"files": dict(sorted(self.files.items()))})
        return ordered.model_dump_json(indent=1).encode() + b"\n"

    @property
    def id(self) -> str:
        """The first :data:`ID_DIGITS` hex digits of the SHA-256 of :attr:`canonical`."""
        return hashlib.sha256(self.canonical).hexdigest()[:ID_DIGITS]

    @property
    def bytes(self) -> int:
        """Of all files together."""
        return sum(entry.bytes for entry in self.files.values())


def check_paths(paths: Iterable[str]) -> None:
    """Refused for a path that leaves the bundle, or of a format that is not listed."""
    for path in paths:
        parts = PurePosixPath(path)
        own = path in (MANIFEST, SIGNATURE)
        if own or not PATH.fullmatch(path):
            raise Refused(
                f"A bundle cannot hold a file at '{one_line(path)}': use a plain relative path of letters, digits, "
                f"'.', '_' and '-', at most eight folders deep, other than {MANIFEST} and {SIGNATURE}."
            )
        if parts.suffix not in FORMATS:
            raise Refused(
                f"A bundle cannot hold '{path}': its format is not one of {', '.join(FORMATS)}. Bundles hold nothing "
                f"that executes when it is loaded."
            )
