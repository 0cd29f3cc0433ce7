"""Are the times of a source plausible as they are read? The first rows tell, and which other reading would fit."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import polars as pl
import pyarrow as pa

from remora.core.tables import EVENT_TIMESTAMP
from remora.ingest.casting import present, read_as
from remora.ingest.contract import REASON, RowValidator
from remora.ingest.files import FileSchema
from remora.ingest.findings import Finding
from remora.ingest.formats import FORMATS
from remora.ingest.inspect import TableSources
from remora.settings import DataSettings, SourceSettings

SAMPLE_ROWS = 10_000

_MOST = 0.5
"""A source of which more than this share has no plausible time is refused before it is read."""

_UNITS = ("s", "ms", "us", "ns")
_PATTERNS = (
    "%Y%m%d",
    "%Y%m%d%H%M%S",
    "%Y%m%d%H%M",
    "%d/%m/%Y %H:%M:%S",
    "%m/%d/%Y %H:%M:%S",
    "%d/%m/%Y %H:%M",
    "%m/%d/%Y %H:%M",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d.%m.%Y %H:%M:%S",
    "%d.%m.%Y %H:%M",
    "%d.%m.%Y",
    "%Y/%m/%d %H:%M:%S",
    "%Y/%m/%d",
    "%m/%d/%Y %I:%M:%S %p",
)


def time_reading(
    sources: TableSources, data: DataSettings, earliest: datetime, latest: datetime, rows: int
) -> Iterator[Finding]:
    """An error for each source most of whose times are not plausible, with the reading that would fit.

    ``rows`` are those of the whole table, of which ``sources`` may be a part: what is less of them than the quarantine
    may hold goes there.
    """
    for source, file_schemas in sources.sources:
        if EVENT_TIMESTAMP not in source.columns:
            continue
        validator = RowValidator(
            sources.table, source, sources.types, latest, earliest, tuple(data.event_types), by_content=False
        )
        raw = _first_rows(source, file_schemas)
        if raw is None:
            continue
        reasons = validator(raw)[REASON]
        of_time = reasons.is_in(validator.reasons_of_time())
        validated, wrong = int((of_time | reasons.is_null()).sum()), int(of_time.sum())
        expected = wrong / max(validated, 1) * sum(file_schema.rows for file_schema in file_schemas)
        if wrong > _MOST * validated and expected > data.quarantine_limit * rows:
            yield _finding(
                validator, pl.DataFrame(pl.from_arrow(raw)).filter(of_time), reasons.filter(of_time), validated
            )


def _finding(validator: RowValidator, rows: pl.DataFrame, reasons: pl.Series, of: int) -> Finding:
    source, column = validator.source, validator.source.columns[EVENT_TIMESTAMP]
    time = source.time
    values = rows.select(present(column, rows.schema[column], source).cast(pl.String)).to_series().drop_nulls()
    read = rows.select(_read(source, column, rows)).to_series().drop_nulls()
    how = f"pattern {time.pattern!r}" if time.pattern else f"unit {time.unit!r}"
    first = f", the first as {read[0]:%Y-%m-%d %H:%M}" if len(read) else ""
    return Finding(
        code="time_reading",
        level="error",
        table=validator.table,
        column=column,
        count=rows.height,
        of=of,
        examples=tuple(values.unique(maintain_order=True)[:3].to_list()),
        what=f"Of the first {of:,} rows of {source.path}, {rows.height:,} have no plausible time in '{column}', read "
        f"with {how}{first} ({reasons[0]}).",
        advice=_advice(validator, rows),
    )


def _advice(validator: RowValidator, rows: pl.DataFrame) -> str:
    fitting = [text for text, source in _other_readings(validator.source) if _fits(validator, source, rows)]
    if fitting:
        shown = " or ".join(f"`time: {{{text}}}`" for text in fitting[:2])
        return f"They would be plausible with {shown}: give what is meant."
    return (
        "Give `time` (unit, pattern, zone) as the source means it, or map another column; `data.earliest` is the bound."
    )


def _other_readings(source: SourceSettings) -> Iterator[tuple[str, SourceSettings]]:
    for name, values in (("pattern", _PATTERNS), ("unit", _UNITS)):
        for value in values:
            time = source.time.model_copy(update={"pattern": None, name: value})
            if time != source.time:
                text = f'{name}: "{value}"' if name == "pattern" else f"{name}: {value}"
                yield text, source.model_copy(update={"time": time})


def _fits(validator: RowValidator, source: SourceSettings, rows: pl.DataFrame) -> bool:
    read = rows.select(_read(source, source.columns[EVENT_TIMESTAMP], rows)).to_series()
    return bool(read.is_between(validator.earliest, validator.latest).sum() >= 0.95 * rows.height)


def _read(source: SourceSettings, column: str, rows: pl.DataFrame) -> pl.Expr:
    return read_as(pa.timestamp("us", tz="UTC"), column, rows.schema[column], source)


def _first_rows(source: SourceSettings, file_schemas: tuple[FileSchema, ...]) -> pa.Table | None:
    for file_schema in file_schemas:
        for split in file_schema.splits:
            for raw in FORMATS[source.format].read(split, source):
                if raw.num_rows:
                    return raw.slice(0, SAMPLE_ROWS)
    return None
