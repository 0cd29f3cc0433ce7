"""Items taken out of training as if no user had touched them, and what users wanted of them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from remora.core.vocabulary import Vocabulary
from remora.datasets.hash_sampling import in_sample
from remora.datasets.sequences import HISTORY, PADDING, TARGET

Hidden = npt.NDArray[np.bool_]


def hidden_items(vocabulary: Vocabulary, share: float) -> Hidden:
    """Which items (items,) are hidden: about that share of them, chosen by a hash of their ids."""
    return in_sample(vocabulary.ids.to_pylist(), share, "hidden ")


def without(examples: pa.Table, hidden: Hidden) -> pa.Table:
    """The examples of a world that lacks the hidden items: no row wants one, and no history holds one."""
    return _forgotten(examples.filter(pa.array(~hidden[examples[TARGET].to_numpy()])), hidden)


def select(examples: pa.Table, hidden: Hidden) -> pa.Table:
    """The rows of ``examples`` that want an item of ``hidden`` (items,), with histories of the other items alone."""
    return _forgotten(examples.filter(pa.array(hidden[examples[TARGET].to_numpy()])), hidden)


def _forgotten(examples: pa.Table, hidden: Hidden) -> pa.Table:
    column = examples[HISTORY].combine_chunks()
    length = column.type.list_size
    rows = column.flatten().to_numpy(zero_copy_only=False).reshape(-1, length)
    keep = (rows != PADDING) & ~hidden[np.where(rows == PADDING, 0, rows)]
    order = np.argsort(keep, axis=1, kind="stable")  # what is kept moves to the end, in its order
    kept = np.take_along_axis(np.where(keep, rows, PADDING), order, axis=1)
    values = pa.FixedSizeListArray.from_arrays(pa.array(kept.ravel(), pa.int32()), length)
    return examples.set_column(examples.column_names.index(HISTORY), HISTORY, values)
