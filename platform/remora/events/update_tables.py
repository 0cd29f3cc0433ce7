"""Updates of items and users as tables of the home, and back."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence

import polars as pl
import pyarrow as pa

from remora.events.entity_update import EntityKind, EntityUpdate
from remora.ingest.sent_updates import COLUMNS, FOLDERS, ID, INSTANT, UPDATE

logger = logging.getLogger(__name__)


def decoded(kind: EntityKind, records: Iterable[bytes]) -> Iterator[EntityUpdate]:
    """The updates of a log's records; one that cannot be read is left out, and the log says so."""
    for record in records:
        try:
            yield EntityUpdate.decode(kind, record)
        except (ValueError, KeyError, TypeError):
            logger.exception("a record of the log of %s cannot be read and is left out", kind)


def update_tables(kind: EntityKind, contents: list[bytes]) -> Mapping[str, pa.Table]:
    """Records of the log by the folder of the home that they go to."""
    return {FOLDERS[kind]: as_table([*decoded(kind, contents)])}


def as_table(updates: Sequence[EntityUpdate]) -> pa.Table:
    """The columns of :data:`UPDATE`, a row an update."""
    columns = [None if one.columns is None else json.dumps(one.columns, ensure_ascii=False) for one in updates]
    found = {ID: [one.id for one in updates], INSTANT: [one.instant for one in updates], COLUMNS: columns}
    return pa.table(found, UPDATE)


def updates_of(kind: EntityKind, table: pa.Table) -> Iterator[EntityUpdate]:
    """Of the rows of such a table those that may hold: of each id the latest, and those of the same instant."""
    rows = pl.DataFrame(table.select(UPDATE.names))
    latest = rows.filter(pl.col(INSTANT) == pl.col(INSTANT).max().over(ID))
    for id, instant, columns in latest.iter_rows():
        yield EntityUpdate(kind=kind, id=id, instant=instant, columns=None if columns is None else json.loads(columns))
