"""The files of one source as a Ray Dataset: a read task a split, batches streamed."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import pyarrow as pa
import ray.data
from ray.data.block import BlockMetadata
from ray.data.context import DataContext
from ray.data.datasource import Datasource, ReadTask

from remora.ingest.files import FileSchema
from remora.ingest.formats import FORMATS
from remora.ingest.inspect import TableSources
from remora.settings import SourceSettings


class SourceFiles(Datasource):
    """Rows of the inspected files with ORDER and UNREADABLE beside the source's own columns."""

    def __init__(self, source: SourceSettings, file_schemas: Sequence[FileSchema]) -> None:
        super().__init__()
        self._source = source
        self._file_schemas = file_schemas

    def get_name(self) -> str:
        """What progress bars call it."""
        return self._source.format.capitalize()

    def estimate_inmemory_data_size(self) -> int | None:
        """Not known, so that Ray Data divides no split further: splits are bounded, and their batches stream."""
        return None

    def get_read_tasks(
        self, parallelism: int, per_task_row_limit: int | None = None, data_context: DataContext | None = None
    ) -> list[ReadTask]:
        """One task a split, however many are asked for: splits are bounded already."""
        read = FORMATS[self._source.format].read
        tasks = []
        for file_schema in self._file_schemas:
            for split in file_schema.splits:
                metadata = BlockMetadata(split.rows, None, None, input_files=(file_schema.file.path,))
                task = functools.partial(read, split, self._source)
                tasks.append(ReadTask(task, metadata, per_task_row_limit=per_task_row_limit))
        return tasks


def dataset_of(sources: TableSources, functions: Sequence[Callable[[pa.Table], pa.Table]]) -> ray.data.Dataset:
    """The rows of all sources of a table, batch by batch through the function of their source."""
    parts = [
        ray.data.read_datasource(
            SourceFiles(source, file_schemas),
            override_num_blocks=sum(len(one.splits) for one in file_schemas),
        ).map_batches(function, batch_size=None, batch_format="pyarrow")
        for (source, file_schemas), function in zip(sources.sources, functions, strict=True)
    ]
    return parts[0].union(*parts[1:]) if len(parts) > 1 else parts[0]
