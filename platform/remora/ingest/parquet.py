"""Reading Parquet: one split for some row groups, page checksums verified where the writer left them."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq

from remora.core.errors import UnreadableInput
from remora.ingest.files import ORDER, UNREADABLE, FileFormat, FileSchema, FileSplit, SourceFile, order_of
from remora.ingest.locate import locate
from remora.ingest.plain import holds_bytes, known_type, plain
from remora.settings import SourceSettings

BATCH_ROWS = 65_536
PIECE_ROWS = 1_000_000


def file_schema(file: SourceFile, source: SourceSettings) -> FileSchema:
    """Columns and splits from the footer. UnreadableInput when its counts contradict or two columns share a name."""
    with damage(file), open_parquet(file) as opened:
        metadata, schema = opened.metadata, opened.schema_arrow
        sizes = [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]
    if any(size < 0 for size in sizes) or sum(sizes) != metadata.num_rows:
        raise UnreadableInput(file.path, f"the footer says {metadata.num_rows} rows, its row groups hold {sum(sizes)}")
    names = Counter(schema.names)
    if twice := [name for name, count in names.items() if count > 1]:
        raise UnreadableInput(file.path, f"it has two columns of one name: {', '.join(twice)}")
    # The types are the file's own, so that an error about one names it: columns of bytes are among them, unread.
    types = [(field.name, known_type(field.type)) for field in schema]
    return FileSchema(file, pa.schema(types), tuple(_pieces(file, sizes)))


def read(split: FileSplit, source: SourceSettings) -> Iterator[pa.Table]:
    """The split's rows in batches; UnreadableInput when pages are damaged or rows are missing."""
    done = 0
    with damage(split.file), open_parquet(split.file) as opened:
        columns = [field.name for field in opened.schema_arrow if not holds_bytes(field.type)]
        for batch in opened.iter_batches(BATCH_ROWS, row_groups=list(split.groups), columns=columns):
            found = pa.Table.from_batches([batch])
            found.validate(full=True)  # text that is no UTF-8 ends Polars
            table = pa.table({name: plain(found[name]) for name in found.column_names})
            first = order_of(split.file.number, split.first + done)
            done += table.num_rows
            order = pa.array(range(first, first + table.num_rows), pa.int64())
            yield table.append_column(ORDER, order).append_column(UNREADABLE, pa.nulls(len(order), pa.string()))
    if done != split.rows:
        raise UnreadableInput(
            split.file.path, f"{split.rows} rows were expected from row {split.first}, {done} are there"
        )


PARQUET = FileFormat(locate, file_schema, read)


def open_parquet(file: SourceFile, int96_unit: str | None = None) -> pq.ParquetFile:
    """The file, with page checksums verified; times of 96 bits in the unit (s, ms, us), by default ns."""
    source = file.filesystem.open_input_file(file.path)
    return pq.ParquetFile(
        source, page_checksum_verification=True, pre_buffer=False, coerce_int96_timestamp_unit=int96_unit
    )


@contextlib.contextmanager
def damage(file: SourceFile) -> Iterator[None]:
    """Inside, what Arrow or the store says about the file is raised as UnreadableInput."""
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise UnreadableInput(file.path, f"it is not a sound Parquet file ({str(error).splitlines()[0]})") from error


def _pieces(file: SourceFile, sizes: list[int]) -> Iterator[FileSplit]:
    first, rows = 1, 0
    groups: list[int] = []
    for group, size in enumerate(sizes):
        if groups and rows + size > PIECE_ROWS:
            yield FileSplit(file, first, rows, tuple(groups))
            first, rows, groups = first + rows, 0, []
        rows, groups = rows + size, [*groups, group]
    if groups:
        yield FileSplit(file, first, rows, tuple(groups))
