"""Examples for the two towers: what a user had wanted, and what they wanted next."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from remora.core.tables import EVENT_TIMESTAMP, EVENT_TYPE, ITEM_ID, PROFILE, USER_ID
from remora.core.vocabulary import Vocabulary
from remora.datasets.by_user import map_users
from remora.datasets.hash_sampling import in_sample
from remora.ingest.lake import Lake
from remora.settings import Settings

if TYPE_CHECKING:
    from ray.data import Dataset

HISTORY, TARGET, WEIGHT, HELD_OUT = "history", "target", "weight", "held_out"
PADDING = -1


def sequences(
    settings: Settings, lake: Lake, vocabulary: Vocabulary, *, before: datetime, held_out: float = 0.05
) -> Dataset:
    """One row for each positive event before ``before``; deterministic, and nothing in a row is later than its event.

    Columns: ``user_id``; ``history`` (L,) int32, the last L positive items strictly before the event's instant, most
    recent last, filled with -1 at the front; ``target`` int32; ``weight`` float32 of the event type; ``held_out``
    bool, true for about that share of users, chosen by a hash; and each of ``data.user_columns`` as it stood at the
    event, its name after :data:`~remora.core.tables.PROFILE`. Where the home feed leaves out what was seen, only a
    user's first event with an item is an example.
    """
    profile = _profiles(lake.users(), settings)
    rows_of = pl.DataFrame({ITEM_ID: vocabulary.ids, "row": np.arange(len(vocabulary), dtype=np.int32)})

    def examples(events: pl.DataFrame) -> pa.Table:
        return _examples(events, rows_of, profile, settings, held_out)

    return map_users(lake, examples, before=before, partitions=settings.features.partitions)


def _examples(
    events: pl.DataFrame, rows_of: pl.DataFrame, profile: pl.DataFrame, settings: Settings, held_out: float
) -> pa.Table:
    """Examples of the users of one partition; ``events`` are sorted by user and time."""
    weights = {name: settings.data.event_types[name].weight for name in settings.data.positive_types}
    positives = (
        events.with_columns((pl.int_range(pl.len()).over(USER_ID, ITEM_ID) == 0).alias("first"))
        .filter(pl.col(EVENT_TYPE).is_in(list(weights)))
        .join(rows_of, on=ITEM_ID, how="inner", maintain_order="left")
        .with_columns(pl.col(EVENT_TYPE).replace_strict(weights, return_dtype=pl.Float32).alias(WEIGHT))
    )
    here = pl.col("here")
    positions = positives.with_row_index("here").select(
        start=here.min().over(USER_ID), now=here.min().over(USER_ID, EVENT_TIMESTAMP), row="row"
    )
    histories = windows_before(
        positions["row"].to_numpy(),
        positions["start"].to_numpy().astype(np.int64),
        positions["now"].to_numpy().astype(np.int64),
        settings.features.history_length,
    )
    keep = positives["first"].to_numpy() if settings.ranked_surface.hide_seen else np.ones(len(positives), bool)
    chosen = positives.filter(pl.Series(keep))
    users = _as_of(chosen, profile)
    columns: dict[str, Any] = {
        USER_ID: chosen[USER_ID].to_arrow().cast(pa.string()),
        HISTORY: pa.FixedSizeListArray.from_arrays(histories[keep].ravel(), settings.features.history_length),
        TARGET: chosen["row"].to_arrow(),
        WEIGHT: chosen[WEIGHT].to_arrow(),
        HELD_OUT: pa.array(_share_of(chosen[USER_ID], held_out)),
    }
    columns |= {name: users[name].to_arrow() for name in map(PROFILE.__add__, settings.data.user_columns)}
    return pa.table(columns)


def windows_before(
    rows: npt.NDArray[np.int32], start: npt.NDArray[np.int64], now: npt.NDArray[np.int64], length: int
) -> npt.NDArray[np.int32]:
    """``rows[max(start, now - length):now]`` for each position, right-aligned in (n, length), -1 at the front.

    ``start`` and ``now`` (n,) are positions in ``rows``: of its user's first row, and of the position itself.

    >>> windows_before(np.array([5, 6, 7], np.int32), np.array([0, 0, 0]), np.array([0, 1, 2]), 2)
    array([[-1, -1],
           [-1,  5],
           [ 5,  6]], dtype=int32)
    """
    at_positions = now[:, None] - length + np.arange(length)
    inside = at_positions >= start[:, None]
    if not len(rows):
        return np.empty((0, length), np.int32)
    return np.where(inside, rows[np.where(inside, at_positions, 0)], np.int32(PADDING))


def _profiles(users: pa.Table, settings: Settings) -> pl.DataFrame:
    """Versions of users with the time from which each is valid; without one, always."""
    frame = pl.DataFrame(pl.from_arrow(users))
    return frame.select(
        USER_ID,
        pl.col(EVENT_TIMESTAMP).cast(pl.Datetime("us", "UTC")).fill_null(datetime.fromtimestamp(0, UTC)),
        *((pl.col(c) if c in frame.columns else pl.lit(None)).alias(PROFILE + c) for c in settings.data.user_columns),
    ).sort(EVENT_TIMESTAMP)


def _as_of(chosen: pl.DataFrame, profile: pl.DataFrame) -> pl.DataFrame:
    """The profile valid at each event, in the events' order; null where none exists."""
    keys = chosen.select(USER_ID, EVENT_TIMESTAMP).with_row_index("place").sort(EVENT_TIMESTAMP)
    return keys.join_asof(profile, on=EVENT_TIMESTAMP, by=USER_ID, check_sortedness=False).sort("place")


def _share_of(users: pl.Series, share: float) -> npt.NDArray[np.bool_]:
    """True for users who fall into the share."""
    names, codes = np.unique(users.to_numpy().astype(str), return_inverse=True)
    return in_sample(names, share)[codes] if len(names) else np.empty(0, bool)
