"""Who had what, in order: MovieLens-1M or a folder of one's own, the last tenth of every user's items held out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from benchmarks.retrieval.data import read

from remora.core.errors import DataError
from remora.ingest.download import download
from remora.retrieval.interaction_histories import Histories
from remora.settings import load

CONFIG = Path("config/movielens_1m.yaml")
HELD_SHARE = 0.1


@dataclass(frozen=True, kw_only=True)
class Split:
    """``train`` and ``held`` have the same users; ``held`` is what each had afterwards."""

    train: Histories
    held: Histories

    def save(self, path: Path) -> None:
        """The training pairs as columns, user by user, in order; what the peers' drivers read."""
        user = np.repeat(np.arange(len(self.train)), self.train.lengths)
        shape = np.array([len(self.train), self.train.items])
        np.savez(path, user=user, item=self.train.flat.astype(np.int64), shape=shape)


def movielens(note: Callable[[str], None]) -> pl.DataFrame:
    """The ratings, the earliest first, in the home that the demo uses; equal times keep the file's order."""
    folder = Path(download(load(CONFIG), note))
    ratings = pl.read_csv(folder / "ml-1m.inter", separator="\t", quote_char=None)
    ratings = ratings.rename({name: name.split(":")[0] for name in ratings.columns})
    return ratings.sort("timestamp", maintain_order=True).select("user_id", "item_id")


def folder_of(path: Path) -> pl.DataFrame:
    """events.parquet, whose rows stand in order."""
    return read(path, ["user_id", "item_id"])


def split(events: pl.DataFrame) -> Split:
    """Each pair once, at its first place; users and items as numbers in the order of their ids.

    The last tenth of a user's items, at least one, is held out; users with one item are only trained on.
    DataError when that leaves nothing to train on or to hold out.
    """
    pairs = events.unique(maintain_order=True)
    user, item = (pairs[name].rank("dense").to_numpy().astype(np.int64) - 1 for name in ("user_id", "item_id"))
    order = np.argsort(user, kind="stable")
    ends = np.concatenate([[0], np.cumsum(np.bincount(user))]).astype(np.int64)
    whole = Histories(items=int(item.max()) + 1, flat=item[order].astype(np.int32), ends=ends)
    count = np.where(whole.lengths > 1, np.maximum(1, (whole.lengths * HELD_SHARE).astype(np.int64)), 0)
    if not count.any() or whole.items < 2:
        raise DataError("No user has two items, or all have the same one: there is nothing to train and to hold out.")
    parts = [np.split(whole[u], [len(whole[u]) - count[u]]) for u in range(len(whole))]
    train, held = (Histories.of([part[n] for part in parts], whole.items) for n in (0, 1))
    return Split(train=train, held=held)
