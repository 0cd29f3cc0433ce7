"""Where everything is kept: a directory or an ``s3://`` URL, with writes that a reader never sees half done."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import functools
import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.fs as pafs

from remora.core.errors import StorageError, UnreadableInput
from remora.core.private_folder import PrivateFolder

NO_HARD_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.EXDEV, errno.EMLINK, errno.ENOSYS)
"""What a disk without hard links, or with no more of them for a file, answers."""

AT_FDCWD, RENAME_EXCHANGE = -100, 2
"""Of Linux' renameat2, which Python does not have."""


@dataclass(frozen=True, kw_only=True)
class StoredFile:
    """A file below a folder; ``path`` is relative to that, ``at`` when it was last written."""

    path: str
    bytes: int
    at: datetime


@dataclass(frozen=True)
class Home:
    """A directory, or a URL that pyarrow understands (``s3://bucket/prefix``); paths inside it are relative.

    Raises :class:`StorageError` where the store fails.
    """

    url: str

    @cached_property
    def _opened(self) -> tuple[pafs.FileSystem, str]:
        if "://" not in self.url:
            return pafs.LocalFileSystem(), str(Path(self.url).expanduser().resolve())
        return pafs.FileSystem.from_uri(self.url)

    @property
    def filesystem(self) -> pafs.FileSystem:
        """The pyarrow filesystem to hand to Ray Data together with :meth:`at`."""
        return self._opened[0]

    @property
    def is_local(self) -> bool:
        """Is this a directory of this machine?"""
        return isinstance(self.filesystem, pafs.LocalFileSystem)

    def at(self, path: str = "") -> str:
        """The path to use with :attr:`filesystem`; for a local home it is absolute."""
        root = self._opened[1].rstrip("/")
        return f"{root}/{path}" if path else root

    def exists(self, path: str) -> bool:
        """Is there a file or folder at ``path``?"""
        return self.filesystem.get_file_info(self.at(path)).type != pafs.FileType.NotFound

    def read_bytes(self, path: str) -> bytes:
        """The content of one file; FileNotFoundError when none exists."""
        with self.filesystem.open_input_stream(self.at(path)) as stream:
            return stream.readall()

    def read_json(self, path: str) -> Any:
        """The content of one JSON file; UnreadableInput for what is no JSON. For a shape that is known there is
        :func:`remora.core.json_document.read_document`."""
        try:
            return json.loads(self.read_bytes(path))
        except (ValueError, RecursionError) as error:
            why = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
            raise UnreadableInput(self.at(path), why, "Remove it and run the command that makes it again.") from error

    def write_bytes(self, path: str, content: bytes) -> None:
        """Write one file so that a reader sees the old content or the new, never a part."""
        with storage_errors(self.at(path)):
            if self.is_local:
                target = Path(self.at(path))
                target.parent.mkdir(parents=True, exist_ok=True)
                with atomic_write(target) as file:
                    file.write(content)
            else:
                with self.filesystem.open_output_stream(self.at(path)) as stream:
                    stream.write(content)

    def write_json(self, path: str, value: Any) -> None:
        """Write one JSON file as :meth:`write_bytes` does, keys sorted."""
        self.write_bytes(path, json.dumps(value, indent=1, sort_keys=True, default=str).encode())

    def make_folder(self, path: str) -> str:
        """Create a folder and its parents; returns :meth:`at` of it."""
        with storage_errors(self.at(path)):
            self.filesystem.create_dir(self.at(path), recursive=True)
        return self.at(path)

    def link_or_copy(self, path: str, target: str) -> None:
        """The file ``path`` at ``target`` as well: a hard link on a disk, a copy inside the store elsewhere."""
        with storage_errors(self.at(target)):
            if self.is_local:
                try:
                    os.link(self.at(path), self.at(target))
                    return
                except OSError as error:
                    if error.errno not in NO_HARD_LINKS:
                        raise
            self.filesystem.copy_file(self.at(path), self.at(target))

    def rename(self, path: str, target: str) -> bool:
        """Give a folder of a local home another name, in one step that survives a power cut.

        False when there is no such folder, or a ``target`` already. What is in the folder must be on the disk before:
        see :meth:`flush`.
        """
        source, there = Path(self.at(path)), Path(self.at(target))
        with storage_errors(str(there)):
            there.parent.mkdir(parents=True, exist_ok=True)
            try:
                os.rename(source, there)
            except OSError as error:
                if error.errno in (errno.ENOENT, errno.EEXIST, errno.ENOTEMPTY):
                    return False
                raise
            flush_folder(there.parent)
            flush_folder(source.parent)
        return True

    def exchange(self, path: str, target: str) -> bool:
        """Let two folders of a local home swap their names in one step; False where one is gone, or the disk cannot."""
        source, there = self.at(path), self.at(target)
        if _renameat2(AT_FDCWD, os.fsencode(source), AT_FDCWD, os.fsencode(there), RENAME_EXCHANGE) != 0:
            return False
        with storage_errors(there):
            flush_folder(Path(there).parent)
            flush_folder(Path(source).parent)
        return True

    def flush(self, path: str) -> None:
        """Have every file and folder below a folder of a local home on the disk; a store of objects does so itself."""
        if not self.is_local:
            return
        with storage_errors(self.at(path)):
            for folder, _, files in os.walk(self.at(path)):
                for name in files:
                    _flush(Path(folder) / name)
                flush_folder(Path(folder))

    def delete(self, path: str) -> None:
        """Remove a file or a folder with all that is in it; nothing happens when it is not there."""
        kind = self.filesystem.get_file_info(self.at(path)).type
        if kind == pafs.FileType.Directory:
            self.filesystem.delete_dir(self.at(path))
        elif kind == pafs.FileType.File:
            self.filesystem.delete_file(self.at(path))

    def files(self, path: str) -> list[str]:
        """Every file below a folder, relative to it, sorted; empty when there is no such folder."""
        return sorted(file.path for file in self.stored(path))

    def stored(self, path: str) -> list[StoredFile]:
        """The same with sizes and times, in no order."""
        base = self.at(path)
        found = self.filesystem.get_file_info(pafs.FileSelector(base, recursive=True, allow_not_found=True))
        return [
            StoredFile(path=f.path[len(base) :].lstrip("/"), bytes=f.size, at=f.mtime.astimezone(UTC))
            for f in found
            if f.type == pafs.FileType.File
        ]

    def folders(self, path: str) -> list[str]:
        """Names of the folders directly below a folder, sorted."""
        found = self.filesystem.get_file_info(pafs.FileSelector(self.at(path), allow_not_found=True))
        return sorted(f.base_name for f in found if f.type == pafs.FileType.Directory)

    def local_copy(self, path: str) -> Path:
        """A local folder or file with the content of ``path``: itself when local, else downloaded.

        A download lasts until this process ends.
        """
        if self.is_local:
            return Path(self.at(path))
        target = Path(tempfile.mkdtemp(dir=_scratch().path))
        pafs.copy_files(self.at(path), str(target), source_filesystem=self.filesystem)
        return target


@functools.cache
def _scratch() -> PrivateFolder:
    """Where this process keeps what it downloads."""
    return PrivateFolder.make()


@contextlib.contextmanager
def storage_errors(where: str) -> Iterator[None]:
    """Turn an OSError into a StorageError that says what to do."""
    try:
        yield
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise StorageError(f"No space left while writing {where}. Free space and run the command again.") from error
        raise StorageError(f"Cannot write {where}: {error}.") from error


@contextlib.contextmanager
def atomic_write(target: Path, *, mode: int = 0o600) -> Iterator[BinaryIO]:
    """A file to write that takes ``target``'s place when the block ends: a reader sees the old content or the new, and
    after an error the old one. Its folder must be there.
    """
    # In the same folder: a rename is atomic within one file system only.
    handle, aside = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            # A rename may reach the disk before the content: a power cut would leave an empty file under the name.
            os.fsync(file.fileno())
        os.chmod(aside, mode)
        os.replace(aside, target)
        flush_folder(target.parent)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(aside)
        raise


@contextlib.contextmanager
def uploading(filesystem: pafs.FileSystem, path: str) -> Iterator[pa.NativeFile]:
    """A stream that writes a new file of a store of objects; after an error in the block no file is left.

    Closing a stream completes what it has, and pyarrow cannot abort it, so the part is deleted once it is there.
    """
    stream = filesystem.open_output_stream(path)
    try:
        yield stream
    except BaseException:
        with contextlib.suppress(OSError):
            stream.close()
            filesystem.delete_file(path)
        raise
    stream.close()


def flush_folder(folder: Path) -> None:
    """Have the names in a local folder on the disk, so that a rename in it survives a power cut."""
    _flush(folder)


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _renameat2(*arguments: int | bytes) -> int:
    found = getattr(ctypes.CDLL(None), "renameat2", None)
    return -1 if found is None else int(found(*arguments))
