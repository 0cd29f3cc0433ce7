"""The user of a past request: features from Feast's offline store, the history exactly from the events before it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from remora.core.tables import EVENT_TIMESTAMP, EVENT_TYPE, ITEM_ID, TIMESTAMP, USER_ID
from remora.core.vocabulary import Vocabulary
from remora.features.offline import INSTANT, historical
from remora.features.online import user_value
from remora.features.transforms.user_history import histories
from remora.ingest.lake import Lake
from remora.pipeline import Query
from remora.settings import Settings

if TYPE_CHECKING:
    from feast import FeatureStore

BUCKET = "_bucket"
UNKNOWN_ITEM = -1

LISTS = pl.Schema([("entity_row", pl.UInt32()), ("history", pl.List(pl.Int32)), ("seen", pl.List(pl.Int32))])


@dataclass(frozen=True)
class ReplayUsers:
    """A Hydrator over users and instants that were asked for beforehand.

    ``table`` has one row per (user_id, instant): the user's feature columns, ``history`` and ``seen`` (item rows).
    """

    table: pa.Table
    at: Mapping[tuple[str, datetime], int]

    @classmethod
    def prepare(
        cls, store: FeatureStore, lake: Lake, vocabulary: Vocabulary, settings: Settings, entity_rows: pa.Table
    ) -> ReplayUsers:
        """Read everything for ``entity_rows`` (``user_id``: string, ``instant``: timestamp[us, UTC]).

        One point-in-time join, and one Ray Data pass over the events before the last instant. Needs a Ray cluster.
        """
        entity_rows = entity_rows.select([USER_ID, INSTANT]).cast(
            pa.schema([(USER_ID, pa.string()), (INSTANT, TIMESTAMP)])
        )
        entity_rows = (
            entity_rows.group_by([USER_ID, INSTANT])
            .aggregate([])
            .sort_by([(USER_ID, "ascending"), (INSTANT, "ascending")])
        )
        features = historical(store, entity_rows, "user")
        lists = _histories(lake, vocabulary, settings, entity_rows)
        table = features.append_column("history", lists["history"]).append_column("seen", lists["seen"])
        keys = zip(entity_rows[USER_ID].to_pylist(), _instants(entity_rows), strict=True)
        return cls(table, {key: row for row, key in enumerate(keys)})

    def hydrate(self, query: Query) -> Query:
        """The query with what was known of its user at its instant; ValueError for a user and instant not prepared."""
        if query.user_id is None:
            return query
        row = self.at.get((query.user_id, query.instant.astimezone(UTC)))
        if row is None:
            raise ValueError(f"User '{query.user_id}' at {query.instant.isoformat()} was not prepared for replay.")
        values = {name: self.table[name][row].as_py() for name in self.table.column_names}
        history, seen = (np.asarray(values.pop(name), np.int32) for name in ("history", "seen"))
        user = {name: user_value(value) for name, value in values.items() if "__" in name}
        # As of an unknown user online, so that a replay degrades where serving would.
        if not len(seen) and all(value is None for value in user.values()):
            return query
        history, seen = history[history != UNKNOWN_ITEM], seen[seen != UNKNOWN_ITEM]
        return replace(query, user_found=True, history=history, seen=seen, user=user)


def _instants(entity_rows: pa.Table) -> list[datetime]:
    return [one.astimezone(UTC) for one in entity_rows[INSTANT].to_pylist()]


def _histories(lake: Lake, vocabulary: Vocabulary, settings: Settings, entity_rows: pa.Table) -> pa.Table:
    """``history`` and ``seen`` of every entity row, in their order; items outside the vocabulary are -1."""
    everyone = pl.DataFrame(entity_rows).with_row_index("entity_row")
    last = pc.max(entity_rows[INSTANT]).as_py()
    known = LISTS.to_frame() if last is None or last <= lake.first else _known(lake, vocabulary, settings, everyone)
    placed = everyone.select("entity_row").join(known, on="entity_row", how="left").sort("entity_row")
    empty = pl.lit([], pl.List(pl.Int32))
    return placed.select(pl.col("history", "seen").fill_null(empty)).to_arrow(compat_level=pl.CompatLevel.oldest())


def _known(lake: Lake, vocabulary: Vocabulary, settings: Settings, everyone: pl.DataFrame) -> pl.DataFrame:
    """Lists of the entity rows whose users have events before the last instant, from one pass over those events."""
    chosen, positive_types = settings.features, settings.data.positive_types
    users = everyone.select(USER_ID).unique()
    numbered = pl.DataFrame({ITEM_ID: pl.Series(vocabulary.ids)}).with_row_index("row")

    def of_entity_rows(batch: pa.Table) -> pa.Table:
        events = pl.DataFrame(batch)
        kept = events.join(users, on=USER_ID)
        if kept.is_empty():
            kept = events.head(1)  # Ray Data's hash shuffle fails on a dataset without any row
        row = pl.col("row").cast(pl.Int32).fill_null(UNKNOWN_ITEM)
        bucket = (pl.col(USER_ID).hash(seed=0) % chosen.partitions).cast(pl.Int32).alias(BUCKET)
        numbers = kept.join(numbered, on=ITEM_ID, how="left").with_columns(row, bucket).drop(ITEM_ID)
        return numbers.to_arrow(compat_level=pl.CompatLevel.oldest())

    def looked_up(group: pa.Table) -> pa.Table:
        events = pl.DataFrame(group)
        asks = everyone.join(events.select(USER_ID).unique(), on=USER_ID).sort("entity_row")
        found = histories(
            events,
            asks,
            positive_types=positive_types,
            length=chosen.history_length,
            seen_limit=chosen.seen_limit,
            item="row",
        )
        return found.select(asks["entity_row"], "history", "seen").to_arrow(compat_level=pl.CompatLevel.oldest())

    tie = [name for name in ("source_row", "event_id") if name in lake.event_schema.names]
    last = everyone["instant"].max()
    assert isinstance(last, datetime)
    events = lake.events(before=last, columns=[USER_ID, ITEM_ID, EVENT_TYPE, EVENT_TIMESTAMP, *tie])
    found = (
        events.map_batches(of_entity_rows, batch_format="pyarrow", batch_size=None)
        .groupby(BUCKET, num_partitions=chosen.partitions)
        .map_groups(looked_up, batch_format="pyarrow")
    )
    rows = (pl.DataFrame(one) for one in found.iter_batches(batch_format="pyarrow", batch_size=None))
    return pl.concat([LISTS.to_frame(), *(one.cast(LISTS) for one in rows)])  # type: ignore[arg-type]
