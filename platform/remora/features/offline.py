"""Features of rows that carry an instant, through the store's point-in-time join."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from remora.contracts.errors import MissingInput, NotFound
from remora.contracts.tables import TIMESTAMP

if TYPE_CHECKING:  # replay carries this file to Ray's workers; Feast alone would take them seconds
    from feast import FeatureService, FeatureStore

INSTANT = "instant"


def historical(store: FeatureStore, rows: pa.Table, service: str) -> pa.Table:
    """``rows`` with the features of a feature service as they were at each row's instant, by full name.

    ``rows`` has ``instant`` (timestamp[us, UTC]), the join keys of the service's views (``user_id``, ``item_id``:
    strings) and any further columns, which are kept; their order is kept too. A row of a view counts at and after its
    timestamp. An unknown or null key gives nulls. NotFound for an unknown service, MissingInput for a missing key.
    """
    declared = {one.name: one for one in store.list_feature_services()}
    if service not in declared:
        raise NotFound("feature service", service, f"There are: {', '.join(sorted(declared))}.")
    keys = _join_keys(store, declared[service])
    for name in (INSTANT, *keys):
        if name not in rows.column_names:
            raise MissingInput("column of the asked rows", name, rows.column_names)
    seconds = pc.divide(rows[INSTANT].cast(TIMESTAMP).cast(pa.int64()).cast(pa.float64()), 1e6)
    asked = rows.select([*keys, INSTANT]).rename_columns({INSTANT: "event_timestamp"})
    job = store.get_historical_features(
        entity_df=asked.append_column("instant_seconds", seconds),
        features=declared[service],
        full_feature_names=True,
    )
    found = job.to_arrow()
    for name in found.column_names:
        if "__" in name:
            rows = rows.append_column(name, found[name])
    return rows


def _join_keys(store: FeatureStore, service: FeatureService) -> list[str]:
    """Join keys of every view that the service reads, also through its on-demand views."""
    views = {view.name: view for view in store.list_feature_views()}
    on_demand = {view.name: view for view in store.list_on_demand_feature_views()}
    names = [projection.name for projection in service.feature_view_projections]
    for name in [name for name in names if name in on_demand]:
        names += [source.name for source in on_demand[name].source_feature_view_projections.values()]
    return sorted({key for name in names if name in views for key in views[name].join_keys})
