"""Parquet files that Remora writes and reads itself: each page with a checksum, which every read verifies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from remora.core.errors import UnreadableInput
from remora.core.home import storage_errors

REBUILD = "Remove the version that it belongs to, and run the command that makes it again."


def write_parquet(table: pa.Table, path: str, filesystem: pafs.FileSystem | None = None, **options: Any) -> None:
    """Write the rows and columns of a table as one file; StorageError when the store fails."""
    with storage_errors(path):
        pq.write_table(table, path, filesystem=filesystem, compression="zstd", write_page_checksum=True, **options)


def parquet_bytes(table: pa.Table) -> bytes:
    """What such a file has, for a store that writes files whole."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", write_page_checksum=True)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def read_parquet(
    path: str, columns: Sequence[str] | None = None, filesystem: pafs.FileSystem | None = None
) -> pa.Table:
    """Read a file, or all files of a folder, ``columns`` or all.

    UnreadableInput when one is not as it was written, FileNotFoundError when it is not there.
    """
    try:
        return pq.read_table(
            path,
            columns=None if columns is None else list(columns),
            filesystem=filesystem,
            # Folders are called `day=…`, which pyarrow would read as a further column.
            partitioning=None,
            page_checksum_verification=True,
        )
    except FileNotFoundError:
        raise
    except (OSError, pa.ArrowException) as error:
        raise UnreadableInput(path, " ".join(str(error).split()).rstrip(" ."), REBUILD) from error
