"""The files that a source of plain files means: one that it names, or those of a directory."""

from __future__ import annotations

import posixpath

import pyarrow.fs as pafs

from remora.core.errors import DataError, MissingInput, SettingsError, UnreadableInput
from remora.core.home import Home
from remora.ingest.files import FILES_PER_SOURCE, FoundFiles, SourceFile, check_number, nothing_there, place_in_store
from remora.ingest.shards import check_shards, files_of_splits
from remora.settings import SourceSettings

_TEXT = (".csv", ".tsv", ".txt", ".dat")
_JSON = (".jsonl", ".ndjson", ".json")
_COMPRESSED = ("", ".gz", ".bz2", ".zst", ".lz4")
SUFFIXES = {
    "parquet": (".parquet", ".pq"),
    "csv": tuple(text + compressed for compressed in _COMPRESSED for text in _TEXT),
    "jsonl": tuple(json + compressed for compressed in _COMPRESSED for json in _JSON),
}
"""Names that a directory of each format is searched for; a file that is named itself may have any name."""

_PLAIN = "Write its current rows to plain Parquet files, and name those."
_TABLES = {
    "_delta_log": ("a Delta Lake table", "Give the source `format: delta`."),
    ".hoodie": ("a Hudi table", _PLAIN),
    "*.metadata.json": ("an Iceberg table", "Give the source `format: iceberg`."),
}
"""What says that the files beside it are of several versions, of which a log names the current one."""


def locate(source: SourceSettings, home: Home, place: int) -> FoundFiles:
    """The files of a table's source number ``place`` in the order of their paths.

    MissingInput for none, for a split that is not there, and for a shard that is missing; UnreadableInput for an empty
    file; DataError for too many files or sources, and for the folder of a table format, whose files are of several
    versions.
    """
    filesystem, path = place_in_store(source.path, home)
    info = filesystem.get_file_info(path)
    if info.type == pafs.FileType.NotFound:
        raise nothing_there("file or directory", path, source)
    if info.type == pafs.FileType.File:
        if source.split is not None:
            raise SettingsError(f"`split` chooses files of a directory, and {path} is a file. Name its directory.")
        found, skipped = [info], list[str]()
    else:
        found, skipped = _in_folder(filesystem, path, source.format)
        named = {posixpath.relpath(file.path, path): file for file in found}
        chosen = files_of_splits(path, list(named), source.split)
        check_shards(path, chosen)
        found = [named[name] for name in chosen]
    if not found:
        there = f" Not read: {_some(skipped)}." if skipped else ""
        raise MissingInput(
            f"{source.format} file in the directory",
            path,
            hint=f"Names end in {', '.join(SUFFIXES[source.format])}.{there}",
        )
    for file in found:
        # Ray Data's Parquet reader skips such a file without a word; here a copy that was cut off is an error.
        if file.size == 0:
            raise UnreadableInput(file.path, "it is empty (0 bytes)")
    check_number(len(found), path, place)
    files = [
        SourceFile(filesystem, file.path, place * FILES_PER_SOURCE + i, file.size, file.mtime_ns or 0)
        for i, file in enumerate(found)
    ]
    return FoundFiles(tuple(files), tuple(skipped))


def _in_folder(filesystem: pafs.FileSystem, path: str, format: str) -> tuple[list[pafs.FileInfo], list[str]]:
    """Files of the format, sorted, and the paths of the others; nothing hidden (``.name``, ``_name``) is read.

    What is hidden is a copy or half of a job: `.ipynb_checkpoints`, `_temporary`, `.part.crc`.
    """
    found, skipped = [], []
    for info in sorted(filesystem.get_file_info(pafs.FileSelector(path, recursive=True)), key=lambda f: f.path):
        below = posixpath.relpath(info.path, path).split("/")
        if (mark := _mark_of_a_table(below)) is not None:
            kind, advice = _TABLES[mark]
            raise DataError(
                f"{path} is {kind} (it has {'/'.join(below)}): its files are of several versions, also rows that were "
                f"deleted. {advice}"
            )
        if info.type != pafs.FileType.File:
            continue
        if any(name.startswith((".", "_")) for name in below) or not below[-1].lower().endswith(SUFFIXES[format]):
            skipped.append(info.path)
        else:
            found.append(info)
    return found, skipped


def _mark_of_a_table(below: list[str]) -> str | None:
    if below[-2:-1] == ["metadata"] and below[-1].endswith(".metadata.json"):
        return "*.metadata.json"
    return next((name for name in below if name in _TABLES), None)


def _some(paths: list[str], most: int = 3) -> str:
    names = ", ".join(path.rpartition("/")[2] for path in paths[:most])
    return names if len(paths) <= most else f"{names} and {len(paths) - most:,} more"
