"""The catalogue as it was known at an instant."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from remora.core.tables import EVENT_TIMESTAMP, ITEM_ID, USER_ID
from remora.core.vocabulary import Vocabulary
from remora.ingest.lake import Lake


class CatalogueAsOf(NamedTuple):
    """``items``: row i is the vocabulary's row i, with every column of the lake's; ``known`` (items,) says which had a
    version that was valid at the instant."""

    items: pa.Table
    known: npt.NDArray[np.bool_]


def items_as_of(lake: Lake, vocabulary: Vocabulary, instant: datetime) -> CatalogueAsOf:
    """Every item's last version valid at ``instant``; one without has its first, which is what will be known of it."""
    versions = pl.DataFrame(pl.from_arrow(lake.items())).with_columns(
        pl.col(EVENT_TIMESTAMP).cast(pl.Datetime("us", "UTC")).fill_null(datetime.fromtimestamp(0, UTC))
    )
    versions = versions.sort(ITEM_ID, EVENT_TIMESTAMP, maintain_order=True)
    known = versions.filter(pl.col(EVENT_TIMESTAMP) <= instant).group_by(ITEM_ID, maintain_order=True).last()
    later = versions.join(known, on=ITEM_ID, how="anti").group_by(ITEM_ID, maintain_order=True).first()
    rows = pl.DataFrame({ITEM_ID: vocabulary.ids})
    items = rows.join(pl.concat([known, later]), on=ITEM_ID, how="left", maintain_order="left")
    return CatalogueAsOf(items.to_arrow(), rows[ITEM_ID].is_in(known[ITEM_ID].implode()).to_numpy())


def users_as_of(lake: Lake, instant: datetime) -> pa.Table:
    """The last version of each user that was valid at ``instant``: one row a user in order of id, the lake's columns.

    Users that came later are absent.
    """
    versions = pl.DataFrame(pl.from_arrow(lake.users()))
    if EVENT_TIMESTAMP in versions.columns:
        versions = versions.filter(pl.col(EVENT_TIMESTAMP).is_null() | (pl.col(EVENT_TIMESTAMP) <= instant))
        versions = versions.sort(USER_ID, EVENT_TIMESTAMP, nulls_last=False, maintain_order=True)
    return versions.group_by(USER_ID, maintain_order=True).last().to_arrow()
