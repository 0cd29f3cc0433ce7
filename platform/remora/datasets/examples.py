"""Examples of the sequences as the towers read them; light to import, because Ray Data's workers do."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from remora.core.tables import PROFILE, USER_ID
from remora.datasets.sequences import HELD_OUT, HISTORY, TARGET, WEIGHT
from remora.retrieval.content import Content

if TYPE_CHECKING:
    from ray.data import Dataset

MOST_HELD_OUT = 4_000


def encoded(examples: pa.Table, content: Content) -> pa.Table:
    """Profile columns become the columns ``tags``, ``words`` (int64) and ``numbers`` (float32), fixed-size lists.

    User, history, target, weight and ``held_out`` stay; KeyError for a column of ``content`` that is not there.
    """
    profiles = [name for name in examples.column_names if name.startswith(PROFILE)]
    columns = content.encode(
        examples.select(profiles).rename_columns([name.removeprefix(PROFILE) for name in profiles])
    )
    lists = {name: _lists(getattr(columns, name)) for name in ("tags", "words", "numbers")}
    kept = examples.select([USER_ID, HISTORY, TARGET, WEIGHT, HELD_OUT])
    return pa.table({**{c: kept[c] for c in kept.column_names}, **lists})


def _lists(values: np.ndarray) -> pa.FixedSizeListArray:
    return pa.FixedSizeListArray.from_arrays(values.ravel(), values.shape[1])


def training_only(examples: pa.Table) -> pa.Table:
    """The rows of users that are not held out, without the boolean column that says so."""
    return examples.filter(pc.invert(examples[HELD_OUT])).drop_columns([HELD_OUT])


def target_counts(examples: Dataset, items: int) -> np.ndarray:
    """How often each item is a target in training, shape (items,) int64."""

    def count(block: pa.Table) -> pa.Table:
        targets = training_only(block)[TARGET].to_numpy()
        values, counts = np.unique(targets, return_counts=True)
        return pa.table({"row": values.astype(np.int64), "count": counts.astype(np.int64)})

    total = np.zeros(items, np.int64)
    for part in examples.map_batches(count, batch_format="pyarrow", batch_size=None).iter_batches(
        batch_format="numpy", batch_size=None
    ):
        np.add.at(total, part["row"], part["count"])
    return total


def held_out(examples: Dataset, partitions: int) -> pa.Table:
    """At most :data:`MOST_HELD_OUT` rows (rounded up a partition) of held-out users, spread evenly over each partition.

    Sorted by user and target; of few users there may be no row.
    """
    most = math.ceil(MOST_HELD_OUT / partitions)

    def thin(block: pa.Table) -> pa.Table:
        own = block.filter(block[HELD_OUT])
        return own if len(own) <= most else own.take(np.linspace(0, len(own) - 1, most).astype(np.int64))

    thinned = examples.map_batches(thin, batch_format="pyarrow", batch_size=None)
    parts = [t for t in thinned.iter_batches(batch_format="pyarrow", batch_size=None) if len(t)]
    if not parts:
        return _without_rows(examples)
    return pa.concat_tables(parts).sort_by([(USER_ID, "ascending"), (TARGET, "ascending")])


def _without_rows(examples: Dataset) -> pa.Table:
    schema = examples.schema()  # None where no example is there at all
    return pa.schema([] if schema is None else schema.base_schema).empty_table()
