"""Features of rows that carry an instant, through the store's point-in-time join."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

import pyarrow as pa
import pyarrow.compute as pc

from remora.core.errors import MissingInput
from remora.core.tables import EVENT_TIMESTAMP, TIMESTAMP
from remora.features.point_in_time.entity_rows import ROW, Entities, EntityRows
from remora.features.services import service_of

if TYPE_CHECKING:  # replay carries this file to Ray's workers; Feast alone would take them seconds
    from feast import FeatureService, FeatureStore

    from remora.features.point_in_time.job import PointInTimeJob
    from remora.features.point_in_time.join_report import JoinReport

INSTANT, INSTANT_SECONDS = "instant", "instant_seconds"


def historical(
    store: FeatureStore, rows: pa.Table, service: str, on_report: Callable[[JoinReport], None] | None = None
) -> pa.Table:
    """``rows`` with the features of a feature service as they were at each row's instant, by full name.

    ``rows`` has ``instant`` (timestamp[us, UTC]), the join keys of the service's views (``user_id``, ``item_id``:
    strings) and any further columns, which are kept; their order is kept too. A row of a view counts at and after its
    timestamp. An unknown or null key gives nulls. ``on_report`` is called with the join's report. NotFound for an
    unknown service, MissingInput for a missing key.
    """
    declared = service_of(store, service)
    keys = _join_keys(store, declared)
    for name in (INSTANT, *keys):
        if name not in rows.column_names:
            raise MissingInput("column of the entity rows", name, rows.column_names)
    entity_rows = rows.select([*keys, INSTANT]).rename_columns({INSTANT: EVENT_TIMESTAMP})
    job = _job(store, _with_seconds(entity_rows), declared)
    found = job.to_arrow()
    if on_report is not None:
        on_report(job.report)
    for name in found.column_names:
        if "__" in name:
            rows = rows.append_column(name, found[name])
    return rows


def training_set(store: FeatureStore, path: str, service: str, out: str) -> JoinReport:
    """Write the rows of Parquet files with the features of a service, each as of its ``event_timestamp``, to ``out``.

    Streams through Ray; the folder appears whole, with its metadata. Needs a Ray cluster.
    """
    from feast.infra.offline_stores.file_source import SavedDatasetFileStorage

    rows = EntityRows.of(path).dataset().map_batches(_unnumbered, batch_format="pyarrow", batch_size=None)
    rows.context.execution_options.preserve_order = True
    job = _job(store, rows, service_of(store, service))
    job.persist(SavedDatasetFileStorage(path=out))
    return job.report


def _job(store: FeatureStore, rows: Entities, service: FeatureService) -> PointInTimeJob:
    return cast("PointInTimeJob", store.get_historical_features(rows, service, full_feature_names=True))


def _unnumbered(rows: pa.Table) -> pa.Table:
    return _with_seconds(rows.drop_columns([ROW]))


def _with_seconds(rows: pa.Table) -> pa.Table:
    """With what the on-demand view of both sides asks of a request: its instant as seconds since 1970."""
    if INSTANT_SECONDS in rows.column_names:
        return rows
    seconds = pc.divide(rows[EVENT_TIMESTAMP].cast(TIMESTAMP).cast(pa.int64()).cast(pa.float64()), 1e6)
    return rows.append_column(INSTANT_SECONDS, seconds)


def _join_keys(store: FeatureStore, service: FeatureService) -> list[str]:
    """Join keys of every view that the service reads, also through its on-demand views."""
    views = {view.name: view for view in store.list_feature_views()}
    on_demand = {view.name: view for view in store.list_on_demand_feature_views()}
    names = [projection.name for projection in service.feature_view_projections]
    for name in [name for name in names if name in on_demand]:
        names += [source.name for source in on_demand[name].source_feature_view_projections.values()]
    return sorted({key for name in names if name in views for key in views[name].join_keys})
