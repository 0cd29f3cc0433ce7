"""Builds the tables behind Feast's views: two hash-partitioned passes over the events on Ray Data, and the profiles.

A partition holds all events of some users, or of some items. It is transformed in one task, which writes its files
under fixed names, so that a task that is run again replaces what it wrote; only counts travel back.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pyarrow as pa

from remora.contracts.artifacts import Artifact
from remora.contracts.parquet import write_parquet
from remora.contracts.tables import EVENT_TIMESTAMP, EVENT_TYPE, ITEM_ID, USER_ID, VALUE
from remora.features.profiles import CATEGORY_NUMBERS, category_names, item_catalogue, item_profile, user_profile
from remora.features.tables import CATEGORIES_FILE
from remora.features.transforms.item_activity import item_activity
from remora.features.transforms.user_activity import user_activity
from remora.features.transforms.user_affinity import user_affinity
from remora.features.transforms.user_history import user_history
from remora.ingest.lake import Lake
from remora.settings import Settings
from remora.steps import Build, builds
from remora.steps.path import FEATURES, INGEST

if TYPE_CHECKING:
    from ray.data import Dataset

log = logging.getLogger(__name__)

# The last two break ties of events of one instant; an item's history must not depend on the order of tasks.
READ = (USER_ID, ITEM_ID, EVENT_TYPE, EVENT_TIMESTAMP, VALUE, "source_row", "event_id")
BUCKET = "_bucket"

Transform = Callable[[pl.DataFrame], dict[str, pl.DataFrame]]


@builds(FEATURES)
def build(making: Build) -> dict[str, Any]:
    """The feature tables of the current lake and these settings; reused when they are there already.

    Needs a Ray cluster. Memory is bounded by the object store and the largest of ``features.partitions`` partitions.
    """
    settings, staging, lake = making.settings, making.staging, Lake(making.inputs[INGEST.artifact])
    catalogue = lake.items()
    names = category_names(catalogue, settings.data.category)
    profiles = {
        "item_catalogue": item_catalogue(catalogue, settings.data, names),
        "item_profile": item_profile(catalogue, settings.data),
        "user_profile": user_profile(lake.users(), settings.data),
    }
    rows = {view: _write(staging, view, "all", table) for view, table in profiles.items() if table is not None}
    for key, transform in _passes(settings, lake, profiles["item_catalogue"]).items():
        log.info("features: events by %s", key)
        rows |= _run(lake, staging, key, transform, settings.features.partitions)
    staging.home.write_json(f"{staging.folder}/{CATEGORIES_FILE}", names)
    for view, count in sorted(rows.items()):
        log.info("features: %s has %s rows", view, f"{count:,}")
    return {"end": lake.end.isoformat(), "rows": rows}


def _passes(settings: Settings, lake: Lake, items: pa.Table) -> dict[str, Transform]:
    """What is made of all events of some users, and of some items."""
    until = int(lake.end.timestamp()) // 86_400
    chosen, data = settings.features, settings.data
    types, windows = tuple(data.event_types), chosen.windows_days
    weights = {name: data.event_types[name].weight for name in data.positive_types}
    member = None
    if CATEGORY_NUMBERS in items.column_names:
        member = pl.DataFrame(items.select([ITEM_ID, EVENT_TIMESTAMP, CATEGORY_NUMBERS]))

    def of_users(events: pl.DataFrame) -> dict[str, pl.DataFrame]:
        made = {
            "user_activity": user_activity(events, types=types, windows=windows, until=until),
            "user_history": user_history(
                events,
                positive_types=data.positive_types,
                length=chosen.history_length,
                seen_limit=chosen.seen_limit,
                until=until,
            ),
        }
        if member is not None:
            made["user_affinity"] = user_affinity(
                events, member, weights=weights, categories=chosen.affinity_categories, until=until
            )
        return made

    def of_items(events: pl.DataFrame) -> dict[str, pl.DataFrame]:
        made = item_activity(events, types=types, weights=weights, windows=windows, until=until)
        return {"item_activity": made}

    return {USER_ID: of_users, ITEM_ID: of_items}


def _run(lake: Lake, staging: Artifact, key: str, transform: Transform, partitions: int) -> dict[str, int]:
    """One pass: every partition of ``key`` through ``transform`` into files; rows written per view."""

    def written(group: pa.Table) -> pa.Table:
        # Named by the partition alone, so that a task that Ray runs again replaces its file.
        name = f"part-{group[BUCKET][0].as_py():05d}"
        made = transform(pl.DataFrame(group.drop_columns([BUCKET])))
        return pa.table({view: [_write(staging, view, name, _plain(table))] for view, table in made.items()})

    def bucketed(events: pa.Table) -> pa.Table:
        buckets = pl.Series(events[key]).hash(seed=0) % partitions
        return events.append_column(BUCKET, pa.array(buckets.to_numpy().astype(np.int32)))

    events = _events(lake)
    counts = (
        events.map_batches(bucketed, batch_format="pyarrow", batch_size=None)
        .groupby(BUCKET, num_partitions=partitions)
        .map_groups(written, batch_format="pyarrow")
        .to_pandas()  # one row a partition
    )
    return {str(view): int(total) for view, total in counts.sum().items()}


def _events(lake: Lake) -> Dataset:
    return lake.events(columns=[name for name in READ if name in lake.event_schema.names])


def _plain(table: pl.DataFrame) -> pa.Table:
    """As Arrow with plain strings and lists, which every Parquet reader understands."""
    return table.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(
        pa.schema([pa.field(name, _plain_type(kind)) for name, kind in table.schema.items()])
    )


def _plain_type(kind: Any) -> pa.DataType:
    if isinstance(kind, pl.List):
        return pa.list_(_plain_type(kind.inner))
    plain = {
        pl.String: pa.string(),
        pl.Int32: pa.int32(),
        pl.Int64: pa.int64(),
        pl.Float32: pa.float32(),
        pl.Float64: pa.float64(),
    }
    return plain.get(kind, pa.timestamp("us", "UTC"))


def _write(staging: Artifact, view: str, name: str, table: pa.Table) -> int:
    folder = staging.home.make_folder(f"{staging.folder}/{view}")
    write_parquet(table, f"{folder}/{name}.parquet", staging.home.filesystem)
    return table.num_rows
