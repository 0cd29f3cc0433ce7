"""Builds the tables behind Feast's views: two hash-partitioned passes over the events on Ray Data, and the profiles.

A partition holds all events of some users, or of some items. All transforms of its entity are run on it in one task,
which writes their files under fixed names, so that a task that is run again replaces what it wrote; only counts travel
back.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from remora.core.artifacts import Artifact
from remora.core.errors import ComponentError, MissingInput
from remora.core.parquet import write_parquet
from remora.core.tables import EVENT_TIMESTAMP, EVENT_TYPE, ITEM_ID, USER_ID, VALUE
from remora.extensions import ComponentChoice
from remora.extensions.kinds import TRANSFORM
from remora.features.profiles import CATEGORY_NUMBERS, category_names, item_catalogue, item_profile, user_profile
from remora.features.tables import CATEGORIES_FILE, ViewMetadata
from remora.features.transforms.snapshots import checked
from remora.features.transforms.transform import KEYS, TransformContext
from remora.ingest.lake import Lake
from remora.ingest.ray_failures import reraise_remora_errors
from remora.settings import Settings
from remora.steps import Build, builds
from remora.steps.path import FEATURES, INGEST

log = logging.getLogger(__name__)

# The last two break ties of events of one instant; an item's history must not depend on the order of tasks.
READ = (USER_ID, ITEM_ID, EVENT_TYPE, EVENT_TIMESTAMP, VALUE, "source_row", "event_id")
BUCKET = "_bucket"

PROFILES = {
    "item_catalogue": ViewMetadata(
        entity="item",
        description="Since when an item is known, and its categories by number: what Remora adds to the columns.",
    ),
    "item_profile": ViewMetadata(
        entity="item", description="The item columns that the data configuration declares, valid from their timestamp."
    ),
    "user_profile": ViewMetadata(
        entity="user", description="The user columns that the data configuration declares, valid from their timestamp."
    ),
}
"""The views that are made of users and items, and not of events."""


@builds(FEATURES)
def build(making: Build) -> dict[str, Any]:
    """The feature tables of the current lake and these settings; reused when they are there already.

    Needs a Ray cluster. Memory is bounded by the object store and the largest of ``features.partitions`` partitions.
    ComponentError for a transform whose table cannot be a view.
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
    views = {view: PROFILES[view] for view in rows}
    context = transform_context(settings, lake.end, names, profiles["item_catalogue"])
    for entity, key in KEYS.items():
        chosen = views_of_events(settings, entity, context)
        log.info("features: events by %s", key)
        with reraise_remora_errors():
            rows |= _run(lake, staging, key, chosen, context, settings.features.partitions)
        views |= {view: ViewMetadata(entity=entity, description=_summary(choice)) for view, choice in chosen.items()}
    staging.home.write_json(f"{staging.folder}/{CATEGORIES_FILE}", names)
    for view, count in sorted(rows.items()):
        log.info("features: %s has %s rows", view, f"{count:,}")
    return {
        "end": lake.end.isoformat(),
        "rows": rows,
        "views": {view: metadata.model_dump() for view, metadata in views.items()},
    }


def transform_context(settings: Settings, until: datetime, names: list[str], items: pa.Table) -> TransformContext:
    """What transforms may read: ``names`` of the categories, ``items`` as :func:`item_catalogue` has them."""
    data, chosen = settings.data, settings.features
    categories = None
    if CATEGORY_NUMBERS in items.column_names:
        categories = pl.DataFrame(items.select([ITEM_ID, EVENT_TIMESTAMP, CATEGORY_NUMBERS]))
    return TransformContext(
        event_types=tuple(data.event_types),
        weights={name: data.event_types[name].weight for name in data.positive_types},
        windows_days=chosen.windows_days,
        history_length=chosen.history_length,
        seen_limit=chosen.seen_limit,
        until=until,
        category_names=tuple(names),
        item_categories=categories,
    )


def views_of_events(settings: Settings, entity: str, context: TransformContext) -> dict[str, ComponentChoice]:
    """The views that are made of the events of users (or items), and by what."""
    return {
        view: choice
        for view, choice in settings.features.views.items()
        if choice.component.cls.entity == entity and choice.component.cls.applies(choice.config, context)
    }


def _summary(choice: ComponentChoice) -> str:
    """The first line of a component's docstring."""
    return (choice.component.cls.__doc__ or "").strip().partition("\n")[0]


def _run(
    lake: Lake,
    staging: Artifact,
    key: str,
    chosen: Mapping[str, ComponentChoice],
    context: TransformContext,
    partitions: int,
) -> dict[str, int]:
    """One pass: every partition of ``key`` through the transforms into files; rows written per view."""
    transforms = {view: (choice.component.cls, choice.config) for view, choice in chosen.items()}

    def written(group: pa.Table) -> pa.Table:
        # Named by the partition alone, so that a task that Ray runs again replaces its file.
        name = f"part-{group[BUCKET][0].as_py():05d}"
        events = pl.DataFrame(group.drop_columns([BUCKET]))
        files: dict[str, list[Any]] = {"view": [], "rows": [], "columns": []}
        for view, (transform, config) in transforms.items():
            made = checked(view, key, transform.transform(config, events, context), context.until)
            files["view"].append(view)
            files["rows"].append(_write(staging, view, name, made))
            files["columns"].append(", ".join(f"{field.name} {field.type}" for field in made.schema))
        return pa.table(files)

    def bucketed(events: pa.Table) -> pa.Table:
        buckets = pl.Series(events[key]).hash(seed=0) % partitions
        return events.append_column(BUCKET, pa.array(buckets.to_numpy().astype(np.int32)))

    events = lake.events(columns=event_columns(lake.event_schema.names, chosen.values()))
    files = (
        events.map_batches(bucketed, batch_format="pyarrow", batch_size=None)
        .groupby(BUCKET, num_partitions=partitions)
        .map_groups(written, batch_format="pyarrow")
        .to_pandas()  # one row a file
    )
    for view, columns in files.groupby("view")["columns"].unique().items():
        if len(columns) > 1:
            why = f"its tables of two partitions differ in columns or types: {columns[0]}; and {columns[1]}"
            raise ComponentError(TRANSFORM.name, str(view), why)
    return {str(view): int(rows) for view, rows in files.groupby("view")["rows"].sum().items()}


def event_columns(there: Sequence[str], chosen: Iterable[ComponentChoice]) -> list[str]:
    """Those that every transform gets where the data has them, and those that these ask for."""
    columns = [name for name in READ if name in there]
    for choice in chosen:
        for name in getattr(choice.component.cls, "reads", ()):
            if name not in there:
                hint = f"The transform {choice.type} reads it: map it in the source's columns, or leave the view out."
                raise MissingInput("column of events", name, list(there), hint)
            if name not in columns:
                columns.append(name)
    return columns


def _write(staging: Artifact, view: str, name: str, table: pa.Table) -> int:
    folder = staging.home.make_folder(f"{staging.folder}/{view}")
    write_parquet(table, f"{folder}/{name}.parquet", staging.home.filesystem)
    return table.num_rows
