"""The files of one source as a Ray Dataset: a read task a piece, batches streamed."""

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
    """Rows of the surveyed files with ORDER and UNREADABLE beside the source's own columns."""

    def __init__(self, source: SourceSettings, surveys: Sequence[FileSchema]) -> None:
        super().__init__()
        self._source = source
        self._surveys = surveys

    def get_name(self) -> str:
        """What progress bars call it."""
        return self._source.format.capitalize()

    def estimate_inmemory_data_size(self) -> int | None:
        """Not known, so that Ray Data splits no piece further: pieces are bounded, and their batches stream."""
        return None

    def get_read_tasks(
        self, parallelism: int, per_task_row_limit: int | None = None, data_context: DataContext | None = None
    ) -> list[ReadTask]:
        """One task a piece, however many are asked for: pieces are bounded already."""
        read = FORMATS[self._source.format].read
        tasks = []
        for survey in self._surveys:
            for piece in survey.pieces:
                metadata = BlockMetadata(piece.rows, None, None, input_files=(survey.file.path,))
                task = functools.partial(read, piece, self._source)
                tasks.append(ReadTask(task, metadata, per_task_row_limit=per_task_row_limit))
        return tasks


def dataset_of(sources: TableSources, functions: Sequence[Callable[[pa.Table], pa.Table]]) -> ray.data.Dataset:
    """The rows of all sources of a table, batch by batch through the function of their source."""
    parts = [
        ray.data.read_datasource(
            SourceFiles(source, surveys), override_num_blocks=sum(len(survey.pieces) for survey in surveys)
        ).map_batches(function, batch_size=None, batch_format="pyarrow")
        for (source, surveys), function in zip(sources.sources, functions, strict=True)
    ]
    return parts[0].union(*parts[1:]) if len(parts) > 1 else parts[0]
