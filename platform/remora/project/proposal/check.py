"""The proposed settings, held against the rows of the samples as an ingest would."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, time

import pyarrow as pa

from remora.ingest.contract import FILTER, REASON, RowValidator
from remora.ingest.doubtful_values import doubtful_values, with_examples
from remora.ingest.files import ORDER, UNREADABLE, FileSchema
from remora.ingest.filters import check_conditions
from remora.ingest.schema import table_schema
from remora.project.proposal.analysis import Analysis, TablePlan
from remora.settings import Settings

SOME = 0.01


def broken_rows(settings: Settings, found: Analysis) -> Iterator[tuple[str, str]]:
    """Doubts about rows that the contract would refuse, where they are more than a few in a hundred.

    Raises the DataError or SettingsError that an ingest of the sample would raise.
    """
    data = settings.data
    for table, plans in (("events", [found.events]), *((name, [plan]) for name, plan in found.tables.items())):
        sources = getattr(data, table)
        for source, plan in zip(sources, plans, strict=False):
            raw = plan.sample.read_again(source)
            schema = pa.schema([field for field in raw.schema if field.name not in (ORDER, UNREADABLE)])
            schemas = _schemas(plan, schema)
            types = table_schema(table, [(source, one) for one in schemas])
            check_conditions(source, schemas[0], types)
            validator = RowValidator(
                table,
                source,
                types,
                datetime.now(UTC),
                datetime.combine(data.earliest, time(), UTC),
                tuple(data.event_types),
                by_content=False,
            )
            validated = validator(raw)
            counted = validated[REASON].drop_nulls().value_counts(sort=True)
            examples = {doubt: values for doubt, _, values in doubtful_values(raw, validated, source)}
            for reason, rows in counted.iter_rows():
                share = rows / raw.num_rows
                if share > SOME and not reason.startswith(FILTER):
                    (shown,) = with_examples({reason: rows}, examples)
                    stops = share > data.quarantine_limit
                    yield (
                        f"{share:.1%} of the rows of {table} would go to the quarantine: {shown}",
                        "An ingest stops over data.quarantine_limit: mend the rows or the line above."
                        if stops
                        else "They are left out; mend the rows if they matter.",
                    )


def _schemas(plan: TablePlan, schema: pa.Schema) -> list[FileSchema]:
    if plan.sample.typed:
        return list(plan.sample.schemas)
    return [FileSchema(plan.sample.schemas[0].file, schema, plan.sample.schemas[0].splits)]
