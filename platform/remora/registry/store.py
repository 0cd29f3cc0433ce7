"""The folders of bundles in a home: filled file by file, complete when the manifest is there, which is written last."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import pyarrow.fs as pafs

from remora.core.checksums import MISSING, hash_at
from remora.core.errors import ChecksumMismatch
from remora.core.home import Home, atomic_write, storage_errors, uploading
from remora.registry.bundle import MEND, Bundle
from remora.registry.manifest import ID, MANIFEST, FileEntry, Manifest
from remora.registry.signature import SIGNATURE, Signature

FOLDER = "bundles"
PIECE = 1 << 20

Content = Path | bytes
"""A local file, or what is in it."""

Source = Content | Callable[[], BinaryIO]
"""The same, or what opens it."""


@dataclass(frozen=True)
class BundleStore:
    """The bundles of one home; it knows no aliases."""

    home: Home

    def ids(self) -> dict[str, datetime]:
        """Every complete bundle and when it was completed; what a build that did not end has left is no bundle."""
        found = {}
        for id in filter(ID.fullmatch, self.home.folders(FOLDER)):
            info = self.home.filesystem.get_file_info(self.home.at(f"{folder(id)}/{MANIFEST}"))
            if info.type != pafs.FileType.NotFound:
                found[id] = info.mtime.astimezone(UTC)
        return found

    def has(self, id: str) -> bool:
        """Is there such a bundle?"""
        return self.home.exists(f"{folder(id)}/{MANIFEST}")

    def read(self, id: str) -> Bundle:
        """A bundle, its manifest checked and its files not yet; see :meth:`Bundle.read`."""
        return Bundle.read(self.home, folder(id), id)

    def fill(self, manifest: Manifest, contents: Mapping[str, Source]) -> Bundle:
        """Write what is missing or damaged, and verify it. It is no bundle before :meth:`complete`."""
        bundle = Bundle(self.home, folder(manifest.id), manifest.id, manifest)
        for path, content in contents.items():
            if hash_at(self.home, f"{bundle.folder}/{path}") != manifest.files[path].sha256:
                self._write(f"{bundle.folder}/{path}", content)
        bundle.verify()
        return bundle

    def complete(self, bundle: Bundle, signature: Signature | None = None) -> None:
        """Make it a bundle. The registry's lock is held, so what it needs is not collected as garbage meanwhile.

        ChecksumMismatch when a file has gone since it was filled: run the command again.
        """
        self.check_sizes(bundle)
        if signature is not None:
            self.sign(bundle, signature)
        if not self.has(bundle.id) or self.home.read_bytes(f"{bundle.folder}/{MANIFEST}") != bundle.manifest.canonical:
            self.home.write_bytes(f"{bundle.folder}/{MANIFEST}", bundle.manifest.canonical)

    def sign(self, bundle: Bundle, signature: Signature) -> None:
        """Put the signature beside the manifest, in the place of another; the same again writes nothing."""
        content = signature.model_dump_json(indent=1).encode() + b"\n"
        if self.signature(bundle) != content:
            self.home.write_bytes(f"{bundle.folder}/{SIGNATURE}", content)

    def signature(self, bundle: Bundle) -> bytes | None:
        """What the signature's file holds; None where none exists."""
        path = f"{bundle.folder}/{SIGNATURE}"
        return self.home.read_bytes(path) if self.home.exists(path) else None

    def check_sizes(self, bundle: Bundle) -> None:
        """ChecksumMismatch unless every file is there in its size; nothing is read, so it is quick."""
        sizes = {file.path: file.bytes for file in self.home.stored(bundle.folder)}
        for path, entry in bundle.manifest.files.items():
            if sizes.get(path) != entry.bytes:
                found = f"– ({sizes[path]:,} bytes of {entry.bytes:,})" if path in sizes else MISSING
                raise ChecksumMismatch(bundle.at(path), entry.sha256, found, MEND)

    def remove(self, id: str) -> None:
        """Remove a bundle, or what is left of one. The manifest goes first: what a crash leaves is no bundle."""
        self.home.delete(f"{folder(id)}/{MANIFEST}")
        self.home.delete(folder(id))

    def _write(self, path: str, content: Source) -> None:
        if isinstance(content, bytes):
            self.home.write_bytes(path, content)
            return
        self.home.make_folder(path.rpartition("/")[0])
        target = self.home.at(path)
        with storage_errors(target), _opened(content) as source:
            if not self.home.is_local:  # an object of S3 appears when it is whole
                with uploading(self.home.filesystem, target) as sink:
                    shutil.copyfileobj(source, sink, PIECE)
                return
            with atomic_write(Path(target)) as file:
                shutil.copyfileobj(source, file, PIECE)


def folder(id: str) -> str:
    """Where a bundle lies in its home."""
    return f"{FOLDER}/{id}"


def entry(content: Content) -> FileEntry:
    """What the manifest says of a file."""
    if isinstance(content, bytes):
        return FileEntry(sha256=hashlib.sha256(content).hexdigest(), bytes=len(content))
    with content.open("rb") as file:
        return FileEntry(sha256=hashlib.file_digest(file, "sha256").hexdigest(), bytes=content.stat().st_size)


@contextlib.contextmanager
def _opened(content: Path | Callable[[], BinaryIO]) -> Iterator[BinaryIO]:
    with content.open("rb") if isinstance(content, Path) else content() as file:
        yield file
