"""The step `ingest` of a run: what was sent to the server is collected, then all sources make the lake."""

from __future__ import annotations

import logging

from remora.events.collect import collect
from remora.ingest import ingest as tables
from remora.ingest.lake import Lake
from remora.settings import Settings
from remora.settings.one_writer import writes
from remora.steps.path import INGEST

log = logging.getLogger(__name__)


@writes(INGEST.command)
def ingest(settings: Settings, *, since_last: bool = False) -> Lake:
    """See :func:`remora.ingest.ingest.ingest`; events of the log are in it."""
    found = collect(settings)
    if found.files:
        said = ", ".join(f"{rows:,} rows to {where}" for where, rows in found.rows.items())
        log.info("collected from the log: %s", said)
    return tables.ingest(settings, since_last=since_last)
