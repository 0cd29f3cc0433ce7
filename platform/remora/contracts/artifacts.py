"""Immutable versions of what a step makes, and a pointer to the current one.

A version is made as a draft, in a folder of its own under ``drafts/``, and is there when that folder has become
``versions/<version>``: on a disk by one rename, in a store of objects by copies, ``receipt.json`` last. The pointer
``CURRENT`` is written after that. A crash between any two writes leaves the pointer on the old version, and a draft
that no reader looks at. Two writers of the same version have a draft each, and end with one good version.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from remora.contracts.errors import NotBuilt, Tampered
from remora.contracts.home import Home

RECEIPT = "receipt.json"
POINTER = "CURRENT"
VERSIONS, DRAFTS = "versions", "drafts"

COPIES_AT_ONCE = 16
"""Copies that an object store is asked for at the same time."""


def fingerprint(**inputs: Any) -> str:
    """A short, stable name for what a step's inputs are: the first 16 hex digits of a SHA-256.

    >>> fingerprint(a=1, b="x") == fingerprint(b="x", a=1)
    True
    """
    canonical = json.dumps(inputs, sort_keys=True, default=str, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Artifact:
    """One complete version. ``receipt`` holds ``version``, ``made_at``, ``files`` and what the step reported.

    A draft of it has no receipt, and the name of its folder in ``draft``.
    """

    home: Home
    name: str
    version: str
    receipt: dict[str, Any]
    draft: str = ""

    @property
    def folder(self) -> str:
        """The version's folder, or its draft's, relative to the home."""
        return f"{self.name}/{DRAFTS}/{self.draft}" if self.draft else f"{self.name}/{VERSIONS}/{self.version}"

    def at(self, path: str = "") -> str:
        """A path inside the version, for use with ``home.filesystem``."""
        return self.home.at(f"{self.folder}/{path}" if path else self.folder)

    def read_bytes(self, path: str) -> bytes:
        """One of the version's files."""
        return self.home.read_bytes(f"{self.folder}/{path}")

    def read_json(self, path: str) -> Any:
        """One of the version's JSON files."""
        return self.home.read_json(f"{self.folder}/{path}")

    def add(self, folder: Path) -> list[str]:
        """Copy a local folder's files, and say their names: a draft is filled so before it is published."""
        files = sorted(folder.iterdir())
        for file in files:
            self.home.write_bytes(f"{self.folder}/{file.name}", file.read_bytes())
        return [file.name for file in files]

    def take_over(self, other: Artifact, paths: Iterable[str]) -> dict[str, Any]:
        """Bring files of another version into this draft without reading them; returns their entries for the receipt.

        Both versions then share them on disk, where it has hard links, so neither may ever write into one.
        """
        chosen = sorted(paths)
        for folder in {path.rpartition("/")[0] for path in chosen}:
            self.home.make_folder(f"{self.folder}/{folder}")
        with ThreadPoolExecutor(COPIES_AT_ONCE) as pool:
            done = pool.map(lambda path: self.home.duplicate(f"{other.folder}/{path}", f"{self.folder}/{path}"), chosen)
            list(done)  # raises what a copy raised
        return {path: other.receipt["files"][path] for path in chosen}

    def verify(self) -> None:
        """Check every file's hash against the receipt; :class:`Tampered` names the first that differs."""
        for path, expected in self.receipt["files"].items():
            found = sha256(self.home, f"{self.folder}/{path}")
            if found != expected["sha256"]:
                raise Tampered(self.at(path), expected["sha256"], found)


@dataclass(frozen=True)
class Shelf:
    """All versions of one artifact under ``<home>/<name>/``; ``command`` is what makes it.

    Usage: ``draft = shelf.draft(version)``, write files below ``draft.at()``, then ``shelf.publish(draft, ...)``.
    """

    home: Home
    name: str
    command: str

    def find(self, version: str) -> Artifact | None:
        """The complete version of that name, if there is one."""
        path = f"{self.name}/versions/{version}/{RECEIPT}"
        if not self.home.exists(path):
            return None
        return Artifact(self.home, self.name, version, self.home.read_json(path))

    def current(self) -> Artifact:
        """The version that the pointer names; :class:`NotBuilt` when there is none."""
        if self.home.exists(f"{self.name}/{POINTER}"):
            found = self.find(self.home.read_bytes(f"{self.name}/{POINTER}").decode().strip())
            if found is not None:
                return found
        raise NotBuilt(self.name, self.home.url, self.command)

    def point(self, version: str) -> None:
        """Make ``version`` the current one; one atomic write."""
        self.home.write_bytes(f"{self.name}/{POINTER}", f"{version}\n".encode())

    def draft(self, version: str) -> Artifact:
        """An empty folder to write a new version into, which no other writer has."""
        draft = Artifact(self.home, self.name, version, {}, draft=f"{version}-{uuid.uuid4().hex[:12]}")
        self.home.make_folder(draft.folder)
        return draft

    def publish(self, draft: Artifact, *, taken_over: Mapping[str, Any] | None = None, **report: Any) -> Artifact:
        """Complete a draft: hash its files, write the receipt, make it the version, move the pointer.

        ``taken_over`` are entries of another receipt, for files that :meth:`Artifact.take_over` brought: those are not
        read again. A version of that name that was there is replaced.
        """
        known = taken_over or {}
        files = {
            path: known.get(path) or self._entry(draft, path)
            for path in self.home.files(draft.folder)
            if path != RECEIPT
        }
        receipt = {
            "version": draft.version,
            "made_at": datetime.now(UTC).isoformat(),
            "files": files,
            **report,
        }
        self.home.write_json(f"{draft.folder}/{RECEIPT}", receipt)
        published = Artifact(self.home, self.name, draft.version, receipt)
        if self.home.is_local:
            self._rename(draft, published)
        else:
            self._copy(draft, published)
        self.point(draft.version)
        return published

    def _rename(self, draft: Artifact, published: Artifact) -> None:
        """Make the draft's folder the version's, in place of what is there: another writer may bring the same."""
        self.home.flush(draft.folder)
        while not self.home.rename(draft.folder, published.folder):
            before = f"{self.name}/{DRAFTS}/{draft.version}-{uuid.uuid4().hex[:12]}"
            if self.home.rename(published.folder, before):
                self.home.delete(before)

    def _copy(self, draft: Artifact, published: Artifact) -> None:
        """Copy the draft's files within the store, its receipt last; what was there is no version meanwhile."""
        self.home.delete(f"{published.folder}/{RECEIPT}")
        self.home.delete(published.folder)
        with ThreadPoolExecutor(COPIES_AT_ONCE) as pool:
            done = pool.map(
                lambda path: self.home.duplicate(f"{draft.folder}/{path}", f"{published.folder}/{path}"),
                published.receipt["files"],
            )
            list(done)  # raises what a copy raised
        self.home.duplicate(f"{draft.folder}/{RECEIPT}", f"{published.folder}/{RECEIPT}")
        self.home.delete(draft.folder)

    def _entry(self, draft: Artifact, path: str) -> dict[str, Any]:
        return {
            "sha256": sha256(self.home, f"{draft.folder}/{path}"),
            "bytes": self.home.filesystem.get_file_info(draft.at(path)).size,
        }


def sha256(home: Home, path: str) -> str:
    """SHA-256 of one file of a home, in hex, read in pieces."""
    digest = hashlib.sha256()
    with home.filesystem.open_input_stream(home.at(path)) as stream:
        while piece := stream.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()
