"""Folders of Parquet files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from remora.core.errors import Refused
from remora.core.home import storage_errors, uploading

if TYPE_CHECKING:
    from ray.data import Dataset

REPORT = "_join_report.json"
"""Readers of Parquet folders pass over names that begin with an underscore."""


@dataclass(frozen=True)
class StagingFolder:
    """A folder beside the place where it will appear, hidden by its dot."""

    filesystem: pafs.FileSystem
    path: str

    def write(self, rows: Dataset, number: str) -> int:
        """Stream a Dataset into files named by the least ``number`` in each, without that column; returns the rows.

        What a lost worker left behind is removed.
        """
        files = rows.map_batches(_ToFile(self, number), batch_format="pyarrow", batch_size=None)
        kept, total = set(), 0
        for one in files.iter_rows():
            kept.add(one["file"])
            total += one["rows"]
        for found in self.filesystem.get_file_info(pafs.FileSelector(self.path)):
            if found.base_name not in kept:
                self.filesystem.delete_file(found.path)
        return total

    def note(self, name: str, text: str) -> None:
        """Write one small file."""
        with storage_errors(self.path), uploading(self.filesystem, f"{self.path}/{name}") as stream:
            stream.write(text.encode())


@contextlib.contextmanager
def folder(path: str, filesystem: pafs.FileSystem | None = None, *, overwrite: bool = False) -> Iterator[StagingFolder]:
    """A staging folder to write into; when the block ends well it stands at ``path``, else nothing of it is left.

    Refused where something stands already, unless ``overwrite``. In an object store, where nothing can be renamed, the
    files are copied and the report comes last: a folder without one is not complete.
    """
    filesystem = filesystem or pafs.LocalFileSystem()
    there = filesystem.get_file_info(path)
    if there.type != pafs.FileType.NotFound and not overwrite:
        raise Refused(f"{path} is there already. Choose another place, or allow it to be overwritten.")
    parent, _, name = path.rstrip("/").rpartition("/")
    staging = StagingFolder(filesystem, f"{parent}/.{name}.{uuid.uuid4().hex[:8]}")
    with storage_errors(path):
        filesystem.create_dir(staging.path, recursive=True)
    try:
        yield staging
        with storage_errors(path):
            _commit(staging, path.rstrip("/"), there.type)
    except BaseException:
        filesystem.delete_dir(staging.path)
        raise


def add_file(table: pa.Table, path: str, filesystem: pafs.FileSystem | None = None) -> None:
    """Write one Parquet file that a reader sees whole or not at all; a file of that name is replaced.

    Any columns; StorageError when the store fails.
    """
    filesystem = filesystem or pafs.LocalFileSystem()
    parent, _, name = path.rpartition("/")
    aside = f"{parent}/.{name}.{uuid.uuid4().hex[:8]}"
    with storage_errors(path):
        filesystem.create_dir(parent, recursive=True)
        try:
            pq.write_table(table, aside, filesystem=filesystem, write_page_checksum=True)
            filesystem.move(aside, path)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                filesystem.delete_file(aside)
            raise


def _commit(staging: StagingFolder, path: str, there: pafs.FileType) -> None:
    filesystem = staging.filesystem
    if isinstance(filesystem, pafs.LocalFileSystem):
        old = f"{staging.path}.old"
        if there != pafs.FileType.NotFound:
            filesystem.move(path, old)
        filesystem.move(staging.path, path)
        if there == pafs.FileType.File:
            filesystem.delete_file(old)
        elif there == pafs.FileType.Directory:
            filesystem.delete_dir(old)
        return
    if there == pafs.FileType.Directory:
        filesystem.delete_dir(path)
    files = filesystem.get_file_info(pafs.FileSelector(staging.path))
    for one in sorted(files, key=lambda f: f.base_name == REPORT):
        filesystem.copy_file(one.path, f"{path}/{one.base_name}")
    filesystem.delete_dir(staging.path)


@dataclass(frozen=True)
class _ToFile:
    staging: StagingFolder
    number: str

    def __call__(self, table: pa.Table) -> pa.Table:
        if not len(table):
            return pa.table({"rows": pa.array([], pa.int64()), "file": pa.array([], pa.string())})
        first = table[self.number][0].as_py()
        name = f"part-{first:012d}-{uuid.uuid4().hex[:8]}.parquet"
        add_file(table.drop_columns([self.number]), f"{self.staging.path}/{name}", self.staging.filesystem)
        return pa.table({"rows": pa.array([len(table)], pa.int64()), "file": pa.array([name])})
