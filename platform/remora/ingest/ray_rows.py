"""Rows that Ray Data reads: a read task for each split of a file, batches streamed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa
import ray.data
from ray.data.block import BlockMetadata
from ray.data.context import DataContext
from ray.data.datasource import Datasource, ReadTask

from remora.ingest.rows import Function, Task


class RayRows:
    """Rows of Ray Datasets, as :class:`~remora.ingest.rows.Rows`."""

    def __init__(self, *datasets: ray.data.Dataset) -> None:
        self._datasets = datasets

    def plus(self, tasks: Sequence[Task], function: Function) -> RayRows:
        """As :meth:`Rows.plus`; a read task of Ray Data for each task."""
        read = ray.data.read_datasource(_Tasks(tasks), override_num_blocks=len(tasks))
        return RayRows(*self._datasets, read.map_batches(function, batch_size=None, batch_format="pyarrow"))

    def map(self, function: Function) -> RayRows:
        """As :meth:`Rows.map`."""
        return RayRows(self._union().map_batches(function, batch_size=None, batch_format="pyarrow"))

    def grouped(self, column: str, partitions: int) -> RayRows:
        """As :meth:`Rows.grouped`: rows are shuffled by the hash of the column."""
        return RayRows(self._union().repartition(partitions, keys=[column]))

    def materialize(self) -> RayRows:
        """As :meth:`Rows.materialize`, in Ray's object store."""
        return RayRows(self._union().materialize())

    def tables(self) -> Iterator[pa.Table]:
        """As :meth:`Rows.tables`."""
        yield from self._union().iter_batches(batch_size=None, batch_format="pyarrow")

    def _union(self) -> ray.data.Dataset:
        first, *others = self._datasets
        return first.union(*others) if others else first


class _Tasks(Datasource):
    def __init__(self, tasks: Sequence[Task]) -> None:
        super().__init__()
        self._tasks = tasks

    def get_name(self) -> str:
        """What progress bars call it."""
        return "Files"

    def estimate_inmemory_data_size(self) -> int | None:
        """Not known, so that Ray Data divides no task further: splits are bounded, and their batches stream."""
        return None

    def get_read_tasks(
        self, parallelism: int, per_task_row_limit: int | None = None, data_context: DataContext | None = None
    ) -> list[ReadTask]:
        """The tasks as they are, however many are asked for: splits are bounded already."""
        unknown = BlockMetadata(None, None, None, None)
        return [ReadTask(task, unknown, per_task_row_limit=per_task_row_limit) for task in self._tasks]
