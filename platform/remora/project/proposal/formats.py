"""In which of the formats that ingest reads is a path, as its names and first bytes tell?"""

from __future__ import annotations

import os
import posixpath
from collections import Counter

import pyarrow.fs as pafs

from remora.core.errors import DataError, MissingInput, SettingsError, UnreadableInput
from remora.core.home import Home
from remora.core.redaction import redacted
from remora.ingest.files import FoundFiles, SourceFile, place_in_store
from remora.ingest.formats import FORMATS
from remora.ingest.locate import SUFFIXES
from remora.settings import SourceSettings

HEAD_BYTES = 2 << 20

OTHERS = (
    (b"PK\x03\x04", "a zip archive or an Excel file", "Export each sheet as CSV, or unpack the archive."),
    (b"SQLite format 3", "an SQLite database", "Export its tables as CSV or Parquet."),
    (b"\x1f\x8b", "compressed by gzip", "Give it a name that says so, such as events.csv.gz."),
    (b"Obj\x01", "an Avro file", "Write it as Parquet."),
    (b"ORC", "an ORC file", "Write it as Parquet."),
    (b"ARROW1", "an Arrow file", "Write it as Parquet."),
    (b"%PDF", "a PDF document", "Export the table as CSV."),
)
"""First bytes of files that are no table that ingest reads, with what to do."""


def located(path: str, option: str) -> tuple[str, FoundFiles]:
    """The format of the table at ``path``, and its files; ``option`` is what the path was given as.

    MissingInput where there is nothing, DataError and UnreadableInput with what to do where it is no table.
    """
    if redacted(path) != path:
        raise SettingsError(
            f"The path of {option} holds credentials, which would be written into the settings. Set them in the "
            f"environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY) and leave them out of the path."
        )
    filesystem, place = place_in_store(path, Home(os.getcwd()))
    kind = filesystem.get_file_info(place).type
    if kind not in (pafs.FileType.File, pafs.FileType.Directory):
        raise MissingInput("file or folder", path, hint=f"Check {option}; the working directory is {os.getcwd()}.")
    if kind == pafs.FileType.Directory:
        format = _of_folder(filesystem, place, path, option)
        return format, _found(path, format)
    found = _found(path, "csv")
    return _of_file(found.files[0], option), found


def head(file: SourceFile) -> bytes:
    """The first bytes of a file, decompressed where its name says that it is compressed."""
    try:
        with file.filesystem.open_input_stream(file.path) as stream:
            return stream.read(HEAD_BYTES)
    except OSError as error:
        raise UnreadableInput(file.path, str(error).splitlines()[0]) from error


def _found(path: str, format: str) -> FoundFiles:
    source = SourceSettings.model_validate({"path": path, "format": format, "columns": {}})
    return FORMATS[format].locate(source, Home(os.getcwd()), 0)


def _of_folder(filesystem: pafs.FileSystem, place: str, path: str, option: str) -> str:
    """By the log of a table format, else by the names of its files; what is hidden does not count."""
    infos = filesystem.get_file_info(pafs.FileSelector(place, recursive=True))
    below = [posixpath.relpath(info.path, place).split("/") for info in infos]
    if any(parts[0] == "_delta_log" for parts in below):
        return "delta"
    if any(len(parts) == 2 and parts[0] == "metadata" and parts[1].endswith(".metadata.json") for parts in below):
        return "iceberg"
    names = [
        parts[-1].lower()
        for info, parts in zip(infos, below, strict=True)
        if info.type == pafs.FileType.File and not any(part.startswith((".", "_")) for part in parts)
    ]
    counted = Counter(
        format for name in names for format, suffixes in sorted(SUFFIXES.items()) if name.endswith(suffixes)
    )
    if len(counted) == 1:
        return next(iter(counted))
    if counted:
        kinds = ", ".join(f"{count} {format}" for format, count in sorted(counted.items()))
        raise DataError(
            f"The folder '{path}' of {option} has files of several formats ({kinds}). Name one file, or a folder in "
            f"which all files are of one table and one format."
        )
    _found(path, "parquet")  # says which files are there, or that it is the folder of a table format
    raise DataError(f"The folder '{path}' of {option} has no file of a table.")


def _of_file(file: SourceFile, option: str) -> str:
    begin = head(file)
    if begin.startswith(b"PAR1"):
        return "parquet"
    for mark, what, advice in OTHERS:
        if begin.startswith(mark):
            raise UnreadableInput(file.path, f"it is {what}, which {option} cannot be", advice)
    text = begin.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not text:
        raise UnreadableInput(file.path, "it has no row", "Name the file that holds the table.")
    if text.startswith(b"["):
        raise UnreadableInput(
            file.path, "it is one JSON array", "Write an object a line: `jq -c '.[]' FILE > FILE.jsonl`."
        )
    if text.startswith(b"{"):
        return "jsonl"
    if b"\x00" in begin and not begin.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise UnreadableInput(file.path, "it is neither text nor Parquet", "Give a CSV, JSON lines or Parquet file.")
    return "csv"
