"""Fills Feast's online store from the feature tables, and reads back what it wrote."""

from __future__ import annotations

import logging
from contextlib import redirect_stderr, redirect_stdout
from datetime import datetime
from io import StringIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from feast import FeatureStore

from remora.core.errors import StorageError, UnreadableInput
from remora.core.home import Home
from remora.core.redaction import redacted_connection
from remora.core.tables import EVENT_TIMESTAMP, TIMESTAMP
from remora.features.applied import RECORD, read_record
from remora.features.profiles import EPOCH
from remora.features.store import open_store
from remora.features.tables import FeatureTables
from remora.settings import Settings
from remora.settings.one_writer import writes
from remora.steps.path import MATERIALIZE

log = logging.getLogger(__name__)

MOST_READ_BACK = 5_000
"""Rows per view that are read back, evenly spread; where there are no more, all are."""

READ_BACK_BATCH = 500


@writes(MATERIALIZE.command)
def materialize(settings: Settings, until: datetime | None = None) -> dict[str, int]:
    """Write the latest row of every user and item at ``until`` (default: the end of the data) to the online store.

    Returns rows per view. A view whose rows were written before, from the same tables, is only read back.
    StorageError when a row does not come back with its timestamp.
    """
    store, home = open_store(settings), Home(settings.home)
    tables = FeatureTables.open(home)
    until = until or datetime.fromisoformat(tables.artifact.metadata["end"])
    written = {
        "tables": tables.artifact.version,
        "until": until.isoformat(),
        "store": redacted_connection(settings.features.redis),
    }
    try:
        record = read_record(home)
    except UnreadableInput as error:
        log.warning("%s Every view is written again.", error)
        record = {}
    counts = {}
    for view in tables.views:
        latest = _latest(tables, view, until)
        if record.get(view) != written or _missing(store, tables, view, latest):
            _write(store, tables, view, latest, until)
            record[view] = written
            # After each view, so that a run that was cut off continues with the others.
            home.write_json(RECORD, record)
        counts[view] = latest.num_rows
        log.info("features: %s rows of %s are online", f"{latest.num_rows:,}", view)
    return counts


def _write(store: FeatureStore, tables: FeatureTables, view: str, latest: pa.Table, until: datetime) -> None:
    if latest.num_rows == 0:
        return
    # Feast prints and draws a bar of its own; the latest row alone is written, for SQLite keeps whatever comes last
    with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
        store.materialize(EPOCH, until, feature_views=[view])
    # Read back, because Feast's engines may hide errors of writes and record success all the same.
    if missing := _missing(store, tables, view, latest):
        raise StorageError(
            f"{missing:,} of the rows of {view} that were written to the online store did not come back (of "
            f"{latest.num_rows:,}). Look at the store, then run `remora features materialize` again."
        )


def _latest(tables: FeatureTables, view: str, until: datetime) -> pa.Table:
    """The key of every row that must be online, and the row's timestamp."""
    key = tables.key(view)
    stored = tables.read(view, [key, EVENT_TIMESTAMP])
    stored = stored.filter(pc.field(EVENT_TIMESTAMP) <= pa.scalar(until, TIMESTAMP))
    latest = stored.group_by(key).aggregate([(EVENT_TIMESTAMP, "max")])
    return latest.rename_columns([key, EVENT_TIMESTAMP]).sort_by(key)


def _missing(store: FeatureStore, tables: FeatureTables, view: str, latest: pa.Table) -> int:
    """How many of the rows looked at are not online with their timestamp, to the second."""
    chosen = np.unique(np.linspace(0, latest.num_rows - 1, min(MOST_READ_BACK, latest.num_rows)).astype(np.int64))
    chosen_rows = latest.take(pa.array(chosen))
    feature, key = f"{view}:{tables.schema(view).names[0]}", latest.column_names[0]
    missing = 0
    for batch in chosen_rows.to_batches(READ_BACK_BATCH):
        rows = [{key: one} for one in batch[key].to_pylist()]
        answer = store.get_online_features(features=[feature], entity_rows=rows).proto
        [result] = [r for r, name in zip(answer.results, answer.metadata.feature_names.val, strict=True) if name != key]
        there = np.array([stamp.seconds for stamp in result.event_timestamps], np.int64)
        due = pc.divide(batch[EVENT_TIMESTAMP].cast(pa.int64()), 1_000_000).to_numpy()
        missing += int((there != due).sum()) if len(there) == len(due) else len(due)
    return missing
