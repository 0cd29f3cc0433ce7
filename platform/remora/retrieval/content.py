"""Content of items and users as numbers: which columns, which values they take, and how they become arrays."""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

MOST_VALUES = 1_000
"""Values of one column that get a place of their own, most frequent first; the others share none."""

MOST_WORDS = 24
"""Words of one item that are read."""


@dataclass(frozen=True)
class Content:
    """A fitted description of some columns; goes to JSON and back.

    ``tags`` gives each value of each column of strings (or of lists of them, or booleans) a number from 1; ``width``
    is the most tags that a row has; ``numbers`` has mean and deviation of each numeric column; ``text`` columns are
    hashed into ``buckets`` words.
    """

    tags: Mapping[str, Mapping[str, int]]
    numbers: Mapping[str, tuple[float, float]]
    width: int = 1
    text: tuple[str, ...] = ()
    buckets: int = 0

    @classmethod
    def fit(cls, table: pa.Table, columns: Sequence[str], *, text: Sequence[str] = (), buckets: int = 0) -> Content:
        """Learn the values of ``columns`` of a table; columns that are missing or of another kind are an error."""
        tags: dict[str, dict[str, int]] = {}
        numbers: dict[str, tuple[float, float]] = {}
        place, width = 1, np.zeros(len(table), np.int64)
        for name in columns:
            column = table[name]
            if is_number(column.type):
                values = pc.cast(column, pa.float64()).to_numpy(zero_copy_only=False)
                known = values[np.isfinite(values)]
                deviation = float(known.std()) if len(known) else 0.0
                numbers[name] = (float(known.mean()) if len(known) else 0.0, deviation or 1.0)
            else:
                rows, texts = _flat(column)
                counts = Counter(texts.to_pylist())
                frequent = sorted(counts, key=lambda value: (-counts[value], value))[:MOST_VALUES]
                tags[name] = {value: place + n for n, value in enumerate(frequent)}
                place += len(frequent)
                width += np.bincount(rows, minlength=len(table))
        return cls(tags, numbers, int(max(1, width.max(initial=1))), tuple(text), buckets if text else 0)

    @property
    def tag_count(self) -> int:
        """Tags are numbered from 1 to this."""
        return sum(len(values) for values in self.tags.values())

    @property
    def number_count(self) -> int:
        """Columns of numbers; one of zeros where none exists, so that no array is without columns."""
        return max(1, len(self.numbers))

    def encode(self, table: pa.Table) -> EncodedContent:
        """Arrays for the rows of a table; a value that was not there when fitted is no tag, a null number the mean."""
        found = [_tagged(table[name], values) for name, values in self.tags.items()]
        words = _hashed([table[name] for name in self.text], self.buckets)
        numbers = np.zeros((len(table), self.number_count), np.float32)
        for n, (name, (mean, deviation)) in enumerate(self.numbers.items()):
            values = pc.cast(table[name], pa.float64()).to_numpy(zero_copy_only=False)
            numbers[:, n] = np.clip(np.where(np.isfinite(values), (values - mean) / deviation, 0.0), -5, 5)
        return EncodedContent(
            _padded(found, len(table), self.width),
            _padded([words], len(table), MOST_WORDS if self.text else 1),
            numbers,
        )

    def to_json(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Content:
        """What :meth:`to_json` gave."""
        numbers = {name: (float(mean), float(deviation)) for name, (mean, deviation) in value["numbers"].items()}
        return cls(value["tags"], numbers, value["width"], tuple(value["text"]), value["buckets"])


@dataclass(frozen=True)
class EncodedContent:
    """``tags`` (n, width) and ``words`` (n, W) int64, 0 is padding; ``numbers`` (n, number_count) float32."""

    tags: npt.NDArray[np.int64]
    words: npt.NDArray[np.int64]
    numbers: npt.NDArray[np.float32]


def is_number(kind: pa.DataType) -> bool:
    """Is a column of this type read as a number? Booleans are tags."""
    return pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)


def split_words(text: str) -> list[str]:
    """Lower-case words of a text, in order.

    >>> split_words("Toy Story (1995)")
    ['toy', 'story', '1995']
    """
    return re.findall(r"\w+", text.lower())


Placed = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]
"""Rows, ascending, and the numbers that stand in them."""


def _flat(column: pa.ChunkedArray) -> tuple[npt.NDArray[np.int64], pa.Array]:
    """Row and text of every value; a row with a list has several, a null none."""
    array = column.combine_chunks()
    if isinstance(array, pa.ChunkedArray):
        array = pa.concat_arrays(array.chunks)
    if pa.types.is_list(array.type) or pa.types.is_large_list(array.type):
        rows, values = pc.list_parent_indices(array).to_numpy(zero_copy_only=False), pc.list_flatten(array)
    else:
        rows, values = np.arange(len(array)), array
    known = pc.is_valid(values)
    rows = rows[known.to_numpy(zero_copy_only=False)].astype(np.int64)
    return rows, pc.cast(values.filter(known), pa.string())


def _tagged(column: pa.ChunkedArray, values: Mapping[str, int]) -> Placed:
    """Tags of a column."""
    rows, texts = _flat(column)
    place = pc.index_in(texts, pa.array(list(values), pa.string()))
    known = pc.is_valid(place).to_numpy(zero_copy_only=False)
    numbers = np.fromiter(values.values(), np.int64, len(values))
    return rows[known], numbers[place.drop_null().to_numpy()]


def _hashed(columns: list[pa.ChunkedArray], buckets: int) -> Placed:
    """Hashed words of some columns, each row's in order. A text is split once; only catalogues have texts."""
    rows: list[int] = []
    numbers: list[int] = []
    for column in columns:
        for row, text in zip(*(a.tolist() for a in _flat(column)), strict=True):
            words = split_words(text)
            rows += [row] * len(words)
            # Not Python's `hash`, which differs in every process.
            numbers += [1 + zlib.crc32(word.encode()) % buckets for word in words]
    return np.array(rows, np.int64), np.array(numbers, np.int64)


def _padded(found: list[Placed], count: int, width: int) -> npt.NDArray[np.int64]:
    """(count, width) with each row's numbers from the left and 0 after them; those beyond the width are left out."""
    padded = np.zeros((count, width), np.int64)
    if found:
        rows, numbers = (np.concatenate(part) for part in zip(*found, strict=True))
        order = np.argsort(rows, kind="stable")
        rows, numbers = rows[order], numbers[order]
        place = np.arange(len(rows)) - np.searchsorted(rows, rows)
        keep = place < width
        padded[rows[keep], place[keep]] = numbers[keep]
    return padded
