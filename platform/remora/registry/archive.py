"""A bundle as one file: a plain tar, the same bytes whenever and wherever it is made.

The manifest comes first, then the signature where there is one, then the files by name, all below a folder named by the
bundle's id. Reading trusts nothing: every name, size and hash is checked before anything is written anywhere.
"""

from __future__ import annotations

import contextlib
import hashlib
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, cast

from remora.core.errors import ChecksumMismatch, MissingInput, Refused, UnreadableInput
from remora.core.home import atomic_write, storage_errors
from remora.registry.bundle import Bundle
from remora.registry.documents import check_documents
from remora.registry.manifest import ID, MANIFEST, Manifest
from remora.registry.signature import SIGNATURE
from remora.registry.store import PIECE, Source

READABLE = 0o644
"""Of an export: it is made to be given away."""

MOST_MANIFEST_BYTES = 16 << 20
MOST_SIGNATURE_BYTES = 64 << 10
COPY_AGAIN = "Copy the file again, or export the bundle again."


@dataclass(frozen=True, kw_only=True)
class Archive:
    """A file that was read through and found whole; ``signature`` is what its signature's file holds, unchecked."""

    path: Path
    manifest: Manifest
    signature: bytes | None
    offsets: dict[str, tuple[int, int]]

    @property
    def contents(self) -> dict[str, Source]:
        """Each file's bytes, read from the archive when they are asked for."""
        return {name: partial(_member, self.path, *at) for name, at in self.offsets.items()}

    def check_documents(self) -> None:
        """Refused, with the member's name, where a document of the bundle cannot be read; see
        :mod:`remora.registry.documents`."""
        check_documents(self.manifest, self._read, lambda name: f"{self.path}: {self.manifest.id}/{name}")

    def _read(self, name: str) -> bytes:
        offset, size = self.offsets[name]
        with _member(self.path, offset, size) as content:
            return content.read(size)

    @classmethod
    def read(cls, path: Path) -> Archive:
        """Check every name, size and hash, writing nothing.

        MissingInput without the file; UnreadableInput for what is no archive or ends early; ChecksumMismatch for a file
        that its manifest does not have so; UnsupportedFormat for another version's; Refused for what does not belong
        there.
        """
        if not path.is_file():
            raise MissingInput("file", str(path), hint="`remora bundle export` writes one.")
        with _reading(path), tarfile.open(path, "r:") as tar:
            members = iter(tar)
            id, manifest = _manifest(path, tar, next(members, None))
            signature: bytes | None = None
            offsets: dict[str, tuple[int, int]] = {}
            for member in members:
                name = _name(path, member, id)
                if name == SIGNATURE and signature is None and not offsets:
                    signature = _small(tar, member, MOST_SIGNATURE_BYTES, str(path))
                elif name in manifest.files and name not in offsets:
                    offsets[name] = _offset(path, tar, member, manifest, name)
                else:
                    raise Refused(f"'{path}' holds '{member.name}', which is not in its manifest. Export it again.")
        if missing := [name for name in manifest.files if name not in offsets]:
            raise UnreadableInput(str(path), f"it ends before '{missing[0]}': it was not copied whole", COPY_AGAIN)
        return cls(path=path, manifest=manifest, signature=signature, offsets=offsets)


def write(bundle: Bundle, path: Path) -> None:
    """Write a verified bundle as one file; a reader sees the whole of it or what was there before."""
    with storage_errors(str(path)):
        path.parent.mkdir(parents=True, exist_ok=True)
        with (
            atomic_write(path, mode=READABLE) as file,
            tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar,
        ):
            _add_all(tar, bundle)


def _add_all(tar: tarfile.TarFile, bundle: Bundle) -> None:
    manifest = bundle.manifest.canonical
    _add(tar, f"{bundle.id}/{MANIFEST}", len(manifest), BytesIO(manifest))
    if bundle.home.exists(f"{bundle.folder}/{SIGNATURE}"):
        signature = bundle.read_bytes(SIGNATURE)
        _add(tar, f"{bundle.id}/{SIGNATURE}", len(signature), BytesIO(signature))
    for name, entry in sorted(bundle.manifest.files.items()):
        with bundle.home.filesystem.open_input_stream(bundle.at(name)) as stream:
            _add(tar, f"{bundle.id}/{name}", entry.bytes, cast("BinaryIO", stream))


def _add(tar: tarfile.TarFile, name: str, size: int, content: BinaryIO) -> None:
    member = tarfile.TarInfo(name)  # of no user, no time, mode 0644
    member.size = size
    tar.addfile(member, content)


def _manifest(path: Path, tar: tarfile.TarFile, first: tarfile.TarInfo | None) -> tuple[str, Manifest]:
    id, _, name = first.name.partition("/") if first else ("", "", "")
    if first is None or name != MANIFEST or not ID.fullmatch(id):
        what = f"'{first.name}'" if first else "nothing"
        raise Refused(f"'{path}' is no exported bundle: it begins with {what} where <id>/{MANIFEST} should be.")
    content = _small(tar, first, MOST_MANIFEST_BYTES, str(path))
    return id, Manifest.parse(content, f"{path}: {first.name}", id, COPY_AGAIN)


def _name(path: Path, member: tarfile.TarInfo, id: str) -> str:
    """The file's name in the bundle; Refused for what would be anything but a plain file inside it."""
    # A link or a device could lead out of the bundle; a sparse file may be as large as it likes in few bytes.
    if not member.isreg() or member.issparse():
        raise Refused(f"'{path}' holds '{member.name}', which is no plain file. A bundle holds nothing else.")
    folder, _, name = member.name.partition("/")
    if folder != id:
        raise Refused(f"'{path}' holds '{member.name}', which is outside the bundle {id}. It is refused whole.")
    return name


def _offset(
    path: Path, tar: tarfile.TarFile, member: tarfile.TarInfo, manifest: Manifest, name: str
) -> tuple[int, int]:
    entry, digest = manifest.files[name], hashlib.sha256()
    content = tar.extractfile(member)
    assert content is not None
    # A file of another size cannot match: its content, however long, is not read.
    if member.size == entry.bytes:
        while piece := content.read(PIECE):
            digest.update(piece)
        found = digest.hexdigest()
    else:
        found = f"– ({member.size:,} bytes of {entry.bytes:,})"
    if found != entry.sha256:
        raise ChecksumMismatch(f"{path}: {member.name}", entry.sha256, found, COPY_AGAIN)
    return member.offset_data, member.size


def _small(tar: tarfile.TarFile, member: tarfile.TarInfo, most: int, path: str) -> bytes:
    content = tar.extractfile(member) if member.isreg() else None
    if content is None or member.size > most:
        raise Refused(f"'{path}' holds '{member.name}' of {member.size:,} bytes, which is no file of at most {most:,}.")
    return content.read()


def _member(path: Path, offset: int, size: int) -> BinaryIO:
    """The bytes of one file of the archive; what it was when it was checked is checked again once it is written."""
    return cast("BinaryIO", _Member(path, offset, size))


class _Member:
    """Reads so many bytes from an offset, and closes the file."""

    def __init__(self, path: Path, offset: int, size: int) -> None:
        self._file, self._left = path.open("rb"), size
        self._file.seek(offset)

    def read(self, size: int) -> bytes:
        piece = self._file.read(min(size, self._left))
        self._left -= len(piece)
        return piece

    def __enter__(self) -> _Member:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except tarfile.TarError as error:
        raise UnreadableInput(str(path), f"it is no whole tar file ({error})", COPY_AGAIN) from error
    except OSError as error:
        raise UnreadableInput(str(path), str(error), COPY_AGAIN) from error
