"""Items and users: small tables with versions, validated in this process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

import polars as pl
import pyarrow as pa

from remora.core.tables import EVENT_TIMESTAMP, QUARANTINE
from remora.ingest.contract import REASON, RowValidator, accepted
from remora.ingest.distinct import DistinctRows
from remora.ingest.doubtful_values import doubtful_values
from remora.ingest.doubts import BACKSLASH, LIST_SEPARATOR, SWALLOWED, backslashes, swallowed_lines, undivided
from remora.ingest.files import ORDER
from remora.ingest.formats import FORMATS
from remora.ingest.inspect import TableSources
from remora.ingest.quarantine import rejected
from remora.ingest.row_counts import merged_examples
from remora.ingest.schema import KEY_OF
from remora.ingest.sent_updates import with_kept_columns
from remora.settings import SourceSettings


@dataclass(frozen=True)
class Catalogue:
    """Every accepted version of every user or item, by id and instant, and the rows that were not accepted.

    ``repeated``: rows of `distinct` sources that another row of their id stands for, or that have no id. ``doubts``:
    rows by what they are doubted for, ``examples`` a few values of some doubts.
    """

    rows: pa.Table
    quarantine: pa.Table
    repeated: int
    doubts: dict[str, int]
    examples: dict[str, list[str]] = field(default_factory=dict)

    def reasons(self) -> dict[str, int]:
        """Quarantined rows by reason."""
        counts = self.quarantine.group_by("reason").aggregate([([], "count_all")])
        return dict(zip(counts["reason"].to_pylist(), counts["count_all"].to_pylist(), strict=True))


def read_catalogue(sources: TableSources, earliest: datetime, latest: datetime) -> Catalogue:
    """Read and validate every row; of rows with the same id and instant the last in source order is kept.

    `distinct` sources give one row an id, and none for an id that another source has; what was sent to the server comes
    beside that row.
    """
    key, types = KEY_OF[sources.table], sources.types
    at = [key, EVENT_TIMESTAMP]
    whole: list[tuple[pa.Table, pl.DataFrame]] = []
    broken, doubts, without_id = [QUARANTINE.empty_table()], Counter[str](), 0
    examples = dict[str, list[str]]()
    distinct, own = DistinctRows(key, types.names), set[str]()
    for source, raw, validated in _validated(sources, earliest, latest):
        doubts[BACKSLASH] += int(backslashes(raw, source).sum())
        doubts[SWALLOWED] += int(swallowed_lines(raw, source).sum())
        doubts.update({f"{LIST_SEPARATOR}:{name}": rows for name, rows in undivided(raw, source).items()})
        for doubt, count, values in doubtful_values(raw, validated, source):
            doubts[doubt] += count
            examples = merged_examples(examples, {doubt: values})
        if not source.distinct:
            whole.append((raw, validated))
            if source.format != "updates":
                own |= set(validated.filter(pl.col(REASON).is_null())[key])
            continue
        nameless = pl.col(REASON) == f"{key} is missing"
        without_id += validated.select(nameless.fill_null(False).sum()).item()
        distinct.add(validated.filter(pl.col(REASON).is_null()))
        no_break = pl.when(nameless).then(None).otherwise(pl.col(REASON)).alias(REASON)
        broken.append(rejected(sources.table, raw, validated.with_columns(no_break), sources.paths))
    valid = [types.empty_table()]
    if whole:
        superseded = f"superseded by another row of the same {key.removesuffix('_id')} and instant"
        losers = _superseded(pl.concat([rows for _, rows in whole]), key)
        reason = pl.when(pl.col(ORDER).is_in(losers.implode())).then(pl.lit(superseded)).otherwise(REASON).alias(REASON)
        validated_rows = [(raw, rows.with_columns(reason)) for raw, rows in whole]
        valid += [accepted(rows, types) for _, rows in validated_rows]
        broken += [rejected(sources.table, raw, rows, sources.paths) for raw, rows in validated_rows]
    rows = pa.concat_tables(valid)
    repeated = without_id
    if distinct.found:
        known = pl.Series(key, sorted(own), pl.String)
        further = distinct.rows(types.names).filter(~pl.col(key).is_in(known.implode()))
        further = further.join(pl.DataFrame(pl.from_arrow(rows.select(at))), on=at, how="anti")
        repeated += distinct.seen - further.height
        rows = pa.concat_tables([rows, further.select(types.names).to_arrow().cast(types)])
    rows = rows.sort_by([(name, "ascending") for name in at])
    return Catalogue(with_kept_columns(rows), pa.concat_tables(broken), repeated, dict(+doubts), examples)


def _validated(
    sources: TableSources, earliest: datetime, latest: datetime
) -> Iterator[tuple[SourceSettings, pa.Table, pl.DataFrame]]:
    for source, file_schemas in sources.sources:
        validator = RowValidator(sources.table, source, sources.types, latest, earliest)
        for file_schema in file_schemas:
            for split in file_schema.splits:
                for raw in FORMATS[source.format].read(split, source):
                    yield source, raw, validator(raw)


def _superseded(validated: pl.DataFrame, key: str) -> pl.Series:
    valid = validated.filter(pl.col(REASON).is_null())
    return valid.filter(pl.col(ORDER) < pl.col(ORDER).max().over(key, EVENT_TIMESTAMP))[ORDER]
