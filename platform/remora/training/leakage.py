"""Looking for features that know the future, on every build of the ranker."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
import polars as pl

from remora.core.errors import DataError
from remora.core.tables import EVENT_TIMESTAMP, ITEM_ID
from remora.datasets.splits import Window
from remora.evaluation.leakage import Leak, knows_the_future, too_good
from remora.features.snapshot import ItemSnapshot
from remora.features.store import open_store
from remora.ingest.lake import Lake
from remora.ranking.columns import RankerColumns
from remora.ranking.slates import Slates
from remora.settings import Settings

log = logging.getLogger(__name__)


def leaks(settings: Settings, lake: Lake, window: Window, slates: Slates, columns: RankerColumns) -> tuple[Leak, ...]:
    """The ranker's features that are suspected, with the reasons; see :mod:`remora.evaluation.leakage`.

    DataError names them, unless ``ranking.leakage_allowlist`` says that each is known at the instant it is used.
    """
    names = columns.names
    found = [*too_good(slates.batch.features, names, slates.labels, slates.batch.slate)]
    of_items = [c.name for c in columns.columns if c.name.startswith("item_") and c.categories is None]
    if of_items:
        vocabulary = lake.vocabulary()
        snapshot = ItemSnapshot.take(open_store(settings), lake, vocabulary, settings, window.start)
        values = {name: np.asarray(snapshot.column(name), np.float64) for name in of_items}
        ids = vocabulary.ids.to_pylist()
        *before, after = _events(lake, ids, _parts(lake, window))
        found += knows_the_future(values, before, after)
    found = list({leak.feature: leak for leak in reversed(found)}.values())
    untrusted = [leak for leak in found if leak.feature not in settings.ranking.leakage_allowlist]
    if untrusted:
        raise DataError(
            "The ranker's features know the future: "
            + "; ".join(f"{leak.feature} ({leak.reason})" for leak in untrusted)
            + ". Leave them out of the data's columns, give them the time from which they were known, or, if they are "
            "known when a slate is made, name them in ranking.leakage_allowlist."
        )
    for leak in found:
        log.warning("%s is trusted, though %s", leak.feature, leak.reason)
    return tuple(found)


def _parts(lake: Lake, window: Window) -> tuple[Window, Window, Window]:
    """All the time before the window, as much of it as the window is long, and the window."""
    recent = max(lake.first, window.start - (window.end - window.start))
    return Window(lake.first, window.start), Window(recent, window.start), window


def _events(lake: Lake, ids: list[str], windows: Sequence[Window]) -> list[np.ndarray]:
    """How many events each item has in each window, shape (items,)."""
    events = lake.events(before=max(window.end for window in windows), columns=[ITEM_ID, EVENT_TIMESTAMP])
    names = [str(number) for number in range(len(windows))]
    inside = [
        pl.col(EVENT_TIMESTAMP).is_between(window.start, window.end, closed="left").sum().alias(name)
        for name, window in zip(names, windows, strict=True)
    ]
    counted = [
        pl.DataFrame(pl.from_arrow(batch)).group_by(ITEM_ID).agg(inside)
        for batch in events.iter_batches(batch_format="pyarrow", batch_size=None)
    ]
    every = pl.concat(counted).group_by(ITEM_ID).sum()
    placed = pl.DataFrame({ITEM_ID: ids}).join(every, on=ITEM_ID, how="left", maintain_order="left")
    return [placed[name].fill_null(0).to_numpy().astype(np.float64) for name in names]
