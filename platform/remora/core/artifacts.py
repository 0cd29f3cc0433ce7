"""Immutable versions of what a step makes, and a pointer to the current one.

A version is made in a folder of its own under ``staging/``, and is there when that folder has become
``versions/<version>``: on a disk by one rename, in a store of objects by copies, ``metadata.json`` last. The pointer
``CURRENT`` is written after that. A crash between any two writes leaves the pointer on the old version, and a staging
folder that no reader looks at. Two writers of the same version have a staging folder each, and end with one good
version.

A version is verified when it is opened: every file against the metadata, and the metadata against its own checksum.
"""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from remora.core.checksums import MISSING, hashes, sha256
from remora.core.errors import ChecksumMismatch, LostVersion, NotBuilt
from remora.core.home import Home
from remora.core.json_document import Kind, read_document

METADATA = "metadata.json"
POINTER = "CURRENT"
VERSIONS, STAGING = "versions", "staging"
LEFT = "left"
"""Folder of empty files, one a version: when each was last replaced as the current one."""

CHECKSUM = "checksum"
"""Key in the metadata: SHA-256 of the metadata without it."""

REBUILD = "Remove {} and run the command that makes it again."

NAME = re.compile(r"[^/\x00-\x1f]+")
"""Of a version: it becomes part of a path."""

COPIES_AT_ONCE = 16
"""Copies that an object store is asked for at the same time."""


def fingerprint(**inputs: Any) -> str:
    """A short, stable name for what a step's inputs are: the first 16 hex digits of a SHA-256.

    >>> fingerprint(a=1, b="x") == fingerprint(b="x", a=1)
    True
    """
    # Sorted and without spaces: equal inputs must give equal bytes in every process.
    canonical = json.dumps(inputs, sort_keys=True, default=str, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Artifact:
    """One complete version. ``metadata`` holds ``version``, ``created_at``, ``files`` and what the step reported.

    One that is being made has no metadata, and the name of its staging folder in ``staging``. ``reused``: it was there
    when a step asked for it.
    """

    home: Home
    name: str
    version: str
    metadata: dict[str, Any]
    staging: str = ""
    reused: bool = field(default=False, compare=False)

    @property
    def folder(self) -> str:
        """The version's folder, or its staging folder's, relative to the home."""
        return f"{self.name}/{STAGING}/{self.staging}" if self.staging else f"{self.name}/{VERSIONS}/{self.version}"

    def at(self, path: str = "") -> str:
        """A path inside the version, for use with ``home.filesystem``."""
        return self.home.at(f"{self.folder}/{path}" if path else self.folder)

    def read_bytes(self, path: str) -> bytes:
        """One of the version's files."""
        return self.home.read_bytes(f"{self.folder}/{path}")

    def read_json(self, path: str) -> Any:
        """One of the version's JSON files."""
        return self.home.read_json(f"{self.folder}/{path}")

    def read_document(self, path: str, kind: type[Kind]) -> Kind:
        """One of the version's JSON files as ``kind``; UnreadableInput where it is of another shape."""
        return read_document(self.home, f"{self.folder}/{path}", kind, REBUILD.format(self.at()))

    def add(self, folder: Path) -> list[str]:
        """Copy a local folder's files into the staging folder, those of folders within it too; returns their paths."""
        files = {file.relative_to(folder).as_posix(): file for file in sorted(folder.rglob("*")) if file.is_file()}
        for path, file in files.items():
            self.home.write_bytes(f"{self.folder}/{path}", file.read_bytes())
        return [*files]

    def reuse(self, other: Artifact, paths: Iterable[str]) -> dict[str, Any]:
        """Link or copy files of another version into this one, unread; returns their entries of the metadata.

        Both versions then share them on disk, where it has hard links, so neither may ever write into one.
        """
        chosen = sorted(paths)
        for folder in {path.rpartition("/")[0] for path in chosen}:
            self.home.make_folder(f"{self.folder}/{folder}")
        with ThreadPoolExecutor(COPIES_AT_ONCE) as pool:
            done = pool.map(
                lambda path: self.home.link_or_copy(f"{other.folder}/{path}", f"{self.folder}/{path}"), chosen
            )
            list(done)  # raises what a copy raised
        return {path: other.metadata["files"][path] for path in chosen}

    def verify(self) -> None:
        """Check every file against the metadata; :class:`ChecksumMismatch` names the first that differs.

        On a disk its content, which a process reads once while the file stays as it is. In a store of objects, which
        keeps checksums of its own, its size; Parquet is checked page by page when it is read.
        """
        files: dict[str, Any] = self.metadata["files"]
        if self.home.is_local:
            found = hashes(self.home, [f"{self.folder}/{path}" for path in files])
            for path, expected in files.items():
                self._same(path, expected["sha256"], found[f"{self.folder}/{path}"])
            return
        sizes = {file.path: file.bytes for file in self.home.stored(self.folder)}
        for path, expected in files.items():
            size = sizes.get(path)
            if size != expected["bytes"]:
                self._same(path, expected["sha256"], MISSING if size is None else f"– ({size:,} bytes)")

    def _same(self, path: str, expected: str, found: str) -> None:
        if found != expected:
            raise ChecksumMismatch(self.at(path), expected, found, REBUILD.format(self.at()))


@dataclass(frozen=True)
class ArtifactStore:
    """All versions of one artifact under ``<home>/<name>/``; ``command`` is what makes it.

    Usage: ``staging = artifacts.staging(version)``, write files below ``staging.at()``, then
    ``artifacts.commit(staging, ...)``.
    """

    home: Home
    name: str
    command: str

    def find(self, version: str) -> Artifact | None:
        """The complete version of that name, verified, if there is one; :class:`ChecksumMismatch` names a bad file."""
        metadata = self.metadata(version)
        if metadata is None:
            return None
        found = Artifact(self.home, self.name, version, metadata)
        found.verify()
        return found

    def select(self, version: str, holds: Callable[[Artifact], bool] = lambda artifact: True) -> Artifact | None:
        """As :meth:`find`, and it becomes the current version; None too where ``holds`` denies that it is of use."""
        found = self.find(version)
        if found is None or not holds(found):
            return None
        self.set_current(version)
        return replace(found, reused=True)

    def current(self) -> Artifact:
        """The version that the pointer names, verified; :class:`NotBuilt` when none exists."""
        version = self.current_version()
        if version is None:
            raise NotBuilt(self.name, self.home.url, self.command)
        found = self.find(version) if version else None
        if found is None:
            pointer = self.home.at(f"{self.name}/{POINTER}")
            raise LostVersion(self.name, self.home.url, self.command, pointer, version)
        return found

    def current_version(self) -> str | None:
        """What the pointer names, whether or not that is there: empty when it is no name, None without a pointer."""
        pointer = f"{self.name}/{POINTER}"
        if not self.home.exists(pointer):
            return None
        content = self.home.read_bytes(pointer).decode(errors="replace")
        version = content.removesuffix("\n")
        return version if content == f"{version}\n" and NAME.fullmatch(version) else ""

    def metadata(self, version: str) -> dict[str, Any] | None:
        """A version's metadata, itself verified and its files not; None where there is no such version."""
        folder = f"{self.name}/{VERSIONS}/{version}"
        if not version or not self.home.exists(f"{folder}/{METADATA}"):
            return None
        where = self.home.at(f"{folder}/{METADATA}")
        return read_metadata(self.home.read_bytes(f"{folder}/{METADATA}"), where, REBUILD.format(self.home.at(folder)))

    def set_current(self, version: str) -> None:
        """Make ``version`` the current one; one atomic write. When the one before was left is written down for gc."""
        before = self.current_version()
        if before and before != version:
            self.home.write_bytes(f"{self.name}/{LEFT}/{before}", b"")
        self.home.write_bytes(f"{self.name}/{POINTER}", f"{version}\n".encode())

    def staging(self, version: str) -> Artifact:
        """An empty folder to write a new version into, which no other writer has."""
        staging = Artifact(self.home, self.name, version, {}, staging=f"{version}-{uuid.uuid4().hex[:12]}")
        self.home.make_folder(staging.folder)
        return staging

    def commit(self, staging: Artifact, *, reused: Mapping[str, Any] | None = None, **report: Any) -> Artifact:
        """Complete a staging folder: hash its files, write the metadata, make it the version, move the pointer.

        ``reused`` are entries of another version's metadata, for files that :meth:`Artifact.reuse` brought: those are
        not read again. A version of that name that was there is replaced.
        """
        known = reused or {}
        files = {
            path: known.get(path) or self._entry(staging, path)
            for path in self.home.files(staging.folder)
            if path != METADATA
        }
        created_at = datetime.now(UTC).isoformat()
        content = metadata_bytes({"version": staging.version, "created_at": created_at, "files": files, **report})
        self.home.write_bytes(f"{staging.folder}/{METADATA}", content)
        metadata = json.loads(content)
        committed = Artifact(self.home, self.name, staging.version, metadata)
        if self.home.is_local:
            self._rename(staging, committed)
        else:
            self._copy(staging, committed)
        # Last: who follows the pointer finds a version that is whole.
        self.set_current(staging.version)
        return committed

    def _rename(self, staging: Artifact, committed: Artifact) -> None:
        """Make the staging folder the version's, in place of what is there: another writer may bring the same."""
        # The content first: after a power cut no name may stand for files that were never written.
        self.home.flush(staging.folder)
        while not self.home.rename(staging.folder, committed.folder):
            if self.home.exchange(staging.folder, committed.folder):
                self.home.delete(staging.folder)  # what was the version
                return
            # Another writer was faster, or the disk cannot exchange folders and has no such version for a moment.
            before = f"{self.name}/{STAGING}/{staging.version}-{uuid.uuid4().hex[:12]}"
            if self.home.rename(committed.folder, before):
                self.home.delete(before)

    def _copy(self, staging: Artifact, committed: Artifact) -> None:
        """Copy the files within the store, the metadata last; what was there is no version meanwhile."""
        self.home.delete(f"{committed.folder}/{METADATA}")
        self.home.delete(committed.folder)
        with ThreadPoolExecutor(COPIES_AT_ONCE) as pool:
            done = pool.map(
                lambda path: self.home.link_or_copy(f"{staging.folder}/{path}", f"{committed.folder}/{path}"),
                committed.metadata["files"],
            )
            list(done)  # raises what a copy raised
        self.home.link_or_copy(f"{staging.folder}/{METADATA}", f"{committed.folder}/{METADATA}")
        self.home.delete(staging.folder)

    def remove(self, version: str) -> None:
        """Remove a version. What a crash leaves of it is no version: on a disk a staging folder, in a store one without
        metadata.
        """
        folder = f"{self.name}/{VERSIONS}/{version}"
        if self.home.is_local:
            aside = f"{self.name}/{STAGING}/{version}-{uuid.uuid4().hex[:12]}"
            if self.home.rename(folder, aside):
                self.home.delete(aside)
        else:
            self.home.delete(f"{folder}/{METADATA}")
            self.home.delete(folder)
        self.home.delete(f"{self.name}/{LEFT}/{version}")

    def _entry(self, staging: Artifact, path: str) -> dict[str, Any]:
        return {
            "sha256": sha256(self.home, f"{staging.folder}/{path}"),
            "bytes": self.home.filesystem.get_file_info(staging.at(path)).size,
        }


def verify_part(folder: str) -> None:
    """Verify what a version holds below a folder directly in it; a local folder that is in no version is left alone."""
    version = Path(folder).parent
    if version.parent.name != VERSIONS or not (version / METADATA).is_file():
        return
    hint = REBUILD.format(version)
    metadata = read_metadata((version / METADATA).read_bytes(), str(version / METADATA), hint)
    part = Path(folder).name
    expected = {path: entry["sha256"] for path, entry in metadata["files"].items() if path.startswith(f"{part}/")}
    for path, found in hashes(Home(str(version)), expected).items():
        if found != expected[path]:
            raise ChecksumMismatch(str(version / path), expected[path], found, hint)


def metadata_bytes(metadata: Mapping[str, Any]) -> bytes:
    """The content of the metadata file: JSON with keys in order, and the checksum of all the rest."""
    plain = json.loads(_serialised(metadata))  # keys and times are strings from here on, as they will be read
    return _serialised({**plain, CHECKSUM: hashlib.sha256(_serialised(plain)).hexdigest()})


def read_metadata(content: bytes, where: str, hint: str) -> dict[str, Any]:
    """The metadata in a file's content; :class:`ChecksumMismatch` when a bit of it is not as it was written."""
    try:
        metadata: dict[str, Any] = json.loads(content)
        expected = metadata.pop(CHECKSUM)
        found = hashlib.sha256(_serialised(metadata)).hexdigest()
        whole = content == _serialised({**metadata, CHECKSUM: expected})
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
        raise ChecksumMismatch(
            where, "– (no checksum can be read)", hashlib.sha256(content).hexdigest(), hint
        ) from None
    if found != expected or not whole:
        raise ChecksumMismatch(
            where, expected, found if found != expected else hashlib.sha256(content).hexdigest(), hint
        )
    return metadata | {CHECKSUM: expected}


def _serialised(metadata: Mapping[str, Any]) -> bytes:
    return json.dumps(metadata, indent=1, sort_keys=True, default=str).encode()
