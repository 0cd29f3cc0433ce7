"""A folder with events.parquet as training, validation and test."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import scipy.sparse as sp

from remora.core.errors import DataError, MissingInput
from remora.retrieval.interaction_histories import Histories

Ints = npt.NDArray[np.int64]
VALIDATION_USERS, VALIDATION_SHARE = 3_000, 0.2


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """Protocol `split`: who had what, without order. Matrices (users, items) of zeros and ones."""

    train: sp.csr_array
    validation: sp.csr_array  # held out of train where the data has none
    test: sp.csr_array

    @property
    def all_train(self) -> sp.csr_array:
        """What the final model may learn from."""
        return sp.csr_array(((self.train + self.validation) > 0).astype(np.float32))


@dataclass(frozen=True, kw_only=True)
class Sequences:
    """Protocol `leave-last-out`: the last item of each user is the test, the last but one the validation.

    Users with fewer than three items are trained on (or, with one, only counted), and asked nothing.
    """

    whole: Histories
    asked: Ints  # users with a validation and a test item

    @property
    def train(self) -> Histories:
        """All users' items; without the last two of those that are asked."""
        return self._without(2)

    @property
    def all_train(self) -> Histories:
        """All users' items; without the test item of those that are asked."""
        return self._without(1)

    def _without(self, count: int) -> Histories:
        cut = np.zeros(len(self.whole), bool)
        cut[self.asked] = True
        short = self.whole.without_last(count)
        return Histories.of([short[u] if cut[u] else self.whole[u] for u in range(len(self.whole))], self.whole.items)

    def question(self, back: int, users: Ints) -> tuple[Histories, Ints]:
        """What ``users`` had before their item number ``back`` from the end, and that item: 2 validates, 1 tests."""
        chosen = self.whole.chosen(users)
        return chosen.without_last(back), chosen.flat[chosen.ends[1:] - back].astype(np.int64)


def read(folder: Path, columns: list[str]) -> pl.DataFrame:
    """events.parquet; MissingInput without one of the columns, DataError without rows or with missing values."""
    path = folder / "events.parquet"
    if not path.exists():
        raise MissingInput("file", str(path), sorted(p.name for p in folder.glob("*")) if folder.exists() else [])
    there = pl.read_parquet_schema(path)
    for column in columns:
        if column not in there:
            raise MissingInput("column of events.parquet", column, list(there))
    events = pl.read_parquet(path, columns=columns)
    if events.is_empty():
        raise DataError(f"{path} has no rows.")
    for column in columns:
        if count := events[column].null_count():
            raise DataError(f"{count:,} rows of {path} have no '{column}'.")
        if events[column].dtype.is_float() and (count := int((~events[column].is_finite()).sum())):
            raise DataError(f"'{column}' of {path} is NaN or infinite in {count:,} rows.")
    return events


def _rows(values: pl.Series) -> tuple[Ints, int]:
    """Ids as numbers from 0, in the order of the ids, and how many there are."""
    ids = values.unique().sort()
    if values.name == "item_id" and len(ids) < 2:
        raise DataError("All rows have the same 'item_id'. There is nothing to rank with one item.")
    frame = pl.DataFrame({"id": values}).join(
        pl.DataFrame({"id": ids}).with_row_index("row"), on="id", how="left", maintain_order="left"
    )
    return frame["row"].to_numpy().astype(np.int64), len(ids)


def pairs(folder: Path, seed: int) -> Pairs:
    """Protocol `split`; without rows marked `valid`, a fifth of the training pairs of some users validates.

    Of some users only, so that what is trained once with validation held out lacks little.
    """
    events = (
        read(folder, ["user_id", "item_id", "split"])
        .with_columns(pl.col("split").cast(pl.String))
        .unique(maintain_order=True)
    )
    user, users = _rows(events["user_id"])
    item, items = _rows(events["item_id"])
    split = events["split"].to_numpy()
    if unknown := sorted(set(split) - {"train", "valid", "test"}):
        raise DataError(f"Column 'split' holds {', '.join(map(repr, unknown))}; known are 'train', 'valid', 'test'.")

    def matrix(where: npt.NDArray[np.bool_]) -> sp.csr_array:
        ones = np.ones(int(where.sum()), np.float32)
        return sp.csr_array((ones, (user[where], item[where])), shape=(users, items))

    train, valid, test = (split == name for name in ("train", "valid", "test"))
    for name, rows in (("train", train), ("test", test)):
        if not rows.any():
            raise DataError(f"No row of {folder / 'events.parquet'} is marked '{name}' in column 'split'.")
    if not valid.any():
        draw = np.random.default_rng(seed)
        some = np.isin(user, draw.permutation(users)[:VALIDATION_USERS])
        valid = train & some & (draw.random(len(train)) < VALIDATION_SHARE)
        if not valid.any() or not (train & ~valid).any():
            raise DataError(f"{int(train.sum())} training pairs are too few to hold some out for validation.")
        train = train & ~valid
    return Pairs(train=matrix(train), validation=matrix(valid), test=matrix(test))


def sequences(folder: Path) -> Sequences:
    """Protocol `leave-last-out`, by column `pos`."""
    events = read(folder, ["user_id", "item_id", "pos"]).sort("user_id", "pos", maintain_order=True)
    user, users = _rows(events["user_id"])
    item, items = _rows(events["item_id"])
    ends = np.concatenate([[0], np.cumsum(np.bincount(user, minlength=users))]).astype(np.int64)
    whole = Histories(items=items, flat=item.astype(np.int32), ends=ends)
    asked = np.flatnonzero(whole.lengths >= 3)
    if not len(asked):
        raise DataError(f"None of {users:,} users has three items: one each to learn from, to validate and to test.")
    return Sequences(whole=whole, asked=asked)


def shape_of(data: Pairs | Sequences) -> dict[str, Any]:
    """Counts for the report."""
    if isinstance(data, Pairs):
        users, items = data.train.shape
        counts = {name: int(getattr(data, name).nnz) for name in ("train", "validation", "test")}
        return {"users": users, "items": items, **counts}
    lengths = data.whole.lengths
    return {
        "users": len(data.whole),
        "items": data.whole.items,
        "events": int(lengths.sum()),
        "asked": len(data.asked),
        "mean_length": round(float(lengths.mean()), 1),
        "longest": int(lengths.max()),
    }
