"""Items and users: small tables with versions, judged in this process."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import polars as pl
import pyarrow as pa

from remora.contracts.tables import EVENT_TIMESTAMP, QUARANTINE
from remora.ingest.contract import REASON, Judge, accepted
from remora.ingest.files import ORDER
from remora.ingest.formats import FORMATS
from remora.ingest.layout import KEY_OF
from remora.ingest.quarantine import rejected
from remora.ingest.survey import TableSources


@dataclass(frozen=True)
class Catalogue:
    """Every accepted version of every user or item, by id and instant, and the rows that were not accepted."""

    rows: pa.Table
    quarantine: pa.Table

    def reasons(self) -> dict[str, int]:
        """Quarantined rows by reason."""
        counts = self.quarantine.group_by("reason").aggregate([([], "count_all")])
        return dict(zip(counts["reason"].to_pylist(), counts["count_all"].to_pylist(), strict=True))


def read_catalogue(sources: TableSources, earliest: datetime, latest: datetime) -> Catalogue:
    """Read and judge every row; of rows with the same id and instant the last in source order is kept."""
    judged = [
        (raw, judge(raw))
        for source, surveys in sources.sources
        for judge in [Judge(sources.table, source, sources.types, latest, earliest)]
        for survey in surveys
        for piece in survey.pieces
        for raw in FORMATS[source.format].read(piece, source)
    ]
    if not judged:
        return Catalogue(sources.types.empty_table(), QUARANTINE.empty_table())
    key = KEY_OF[sources.table]
    superseded = f"superseded by another row of the same {key.removesuffix('_id')} and instant"
    losers = _superseded(pl.concat([rows for _, rows in judged]), key)
    reason = pl.when(pl.col(ORDER).is_in(losers.implode())).then(pl.lit(superseded)).otherwise(REASON).alias(REASON)
    settled = [(raw, rows.with_columns(reason)) for raw, rows in judged]
    valid = pa.concat_tables([accepted(rows, sources.types) for _, rows in settled])
    broken = [rejected(sources.table, raw, rows, sources.paths) for raw, rows in settled]
    return Catalogue(valid.sort_by([(key, "ascending"), (EVENT_TIMESTAMP, "ascending")]), pa.concat_tables(broken))


def _superseded(judged: pl.DataFrame, key: str) -> pl.Series:
    valid = judged.filter(pl.col(REASON).is_null())
    return valid.filter(pl.col(ORDER) < pl.col(ORDER).max().over(key, EVENT_TIMESTAMP))[ORDER]
