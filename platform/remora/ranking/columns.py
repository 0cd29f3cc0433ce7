"""The ranker's input: which columns, in which order, and how text becomes a number."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict

from remora.core.artifacts import fingerprint
from remora.core.errors import MissingInput
from remora.core.tables import ITEM_PROFILE, PROFILE

MOST_CATEGORIES = 256


class RankerColumn(BaseModel):
    """One input. ``categories`` of a text column, most frequent first; None for a number."""

    model_config = ConfigDict(frozen=True)

    name: str
    categories: tuple[str, ...] | None = None

    def encode(self, values: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Numbers as float32; text as its index among the categories; NaN for null and for what was never seen.

        Shape (n,) to (n,). Floats in place of texts are such indices already.
        """
        if self.categories is None or values.dtype.kind == "f":
            return values.astype(np.float32, copy=False)
        there = np.array([v is not None and v == v for v in values], bool)
        # Each distinct text is looked up once, however many rows have it.
        texts, inverse = np.unique(np.array([str(v) for v in values[there]]), return_inverse=True)
        encoded = np.full(len(values), np.nan, np.float32)
        encoded[there] = np.array([self._indices.get(text, np.nan) for text in texts.tolist()], np.float32)[inverse]
        return encoded

    @cached_property
    def _indices(self) -> dict[str, float]:
        return {text: float(number) for number, text in enumerate(self.categories or ())}


class RankerColumns(BaseModel):
    """The inputs in order; saved beside the trees as JSON."""

    model_config = ConfigDict(frozen=True)

    columns: tuple[RankerColumn, ...]

    @property
    def names(self) -> list[str]:
        """Names of the inputs, in order."""
        return [column.name for column in self.columns]

    @cached_property
    def schema_hash(self) -> str:
        """Fingerprint of names and kinds in their order: rows of one schema have the same columns. The categories of a
        text column are not in it, for they come in another order with other data; see :meth:`recoded`."""
        return fingerprint(columns=[[column.name, kind] for column, kind in zip(self.columns, self.kinds, strict=True)])

    @property
    def kinds(self) -> list[str]:
        """XGBoost's types: ``c`` of a category, ``q`` of a number."""
        return ["q" if column.categories is None else "c" for column in self.columns]

    @classmethod
    def fit(cls, table: pa.Table) -> RankerColumns:
        """The features of ``table`` (``<view>__<feature>``) that are numbers, truth values or text.

        Lists, times and Remora's own instants (``*_at``) are left out: what trees learn of a date is worth nothing
        after it, and the cross features hold what depends on them. A column of the data is what its type says, whatever
        its name. A column with one value, or text with more than 256, says nothing.
        """
        chosen = []
        for name in sorted(
            n for n in table.column_names if "__" in n and (n.startswith((PROFILE, ITEM_PROFILE)) or n[-3:] != "_at")
        ):
            kind, values = table.schema.field(name).type, table[name]
            if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind):
                if pc.count_distinct(values, mode="all").as_py() > 1:
                    chosen.append(RankerColumn(name=name))
            elif pa.types.is_string(kind) or pa.types.is_large_string(kind):
                # Ties by name, so that a category has the same number in every training.
                counts = sorted(
                    pc.value_counts(values.drop_null()).to_pylist(), key=lambda c: (-c["counts"], c["values"])
                )
                if 1 < len(counts) <= MOST_CATEGORIES:
                    chosen.append(RankerColumn(name=name, categories=tuple(c["values"] for c in counts)))
        return cls(columns=tuple(chosen))

    def matrix(self, columns: Mapping[str, npt.NDArray[Any]], n: int) -> npt.NDArray[np.float32]:
        """Shape (n, F) float32; a column of shape (1,) is repeated, infinity is missing.

        MissingInput names a column that is not there.
        """
        out = np.empty((n, len(self.columns)), np.float32)
        for index, column in enumerate(self.columns):
            if column.name not in columns:
                raise MissingInput("feature column", column.name, sorted(columns), "Train the ranker again.")
            out[:, index] = column.encode(np.atleast_1d(columns[column.name]))
        out[~np.isfinite(out)] = np.nan
        return out

    def recoded(self, rows: npt.NDArray[np.float32], by: RankerColumns) -> npt.NDArray[np.float32]:
        """``rows`` (n, F) of the columns ``by``, which have this schema, as these columns have them: (n, F) float32.

        A category that is not among these columns' is NaN.
        """
        out = rows.copy()
        for index, (own, other) in enumerate(zip(self.columns, by.columns, strict=True)):
            if own.categories is not None and own.categories != other.categories:
                numbers = [own._indices.get(text, np.nan) for text in other.categories or ()]
                there = ~np.isnan(rows[:, index])
                out[there, index] = np.array(numbers, np.float32)[rows[there, index].astype(np.intp)]
        return out

    def matrix_of(self, table: pa.Table) -> npt.NDArray[np.float32]:
        """As :meth:`matrix`, (n, F) float32, from the n rows of a table; null is NaN. KeyError for a missing column."""
        arrays = {name: table[name].to_numpy(zero_copy_only=False) for name in self.names}
        return self.matrix(arrays, len(table))
