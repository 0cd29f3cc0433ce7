"""Checks of how numbers are written."""

from __future__ import annotations

from collections.abc import Iterator

from remora.ingest import doubtful_values
from remora.ingest.facts import Facts
from remora.ingest.findings import Finding
from remora.ingest.row_counts import EXAMPLES


def thousands_points(facts: Facts) -> Iterator[Finding]:
    """Columns in which every point may divide thousands, as in German, where it is read as a decimal point."""
    counted = {"events": (facts.row_counts.doubts, facts.row_counts.examples)}
    counted |= {name: (catalogue.doubts, catalogue.examples) for name, catalogue in facts.catalogues.items()}
    for table, (doubts, examples) in counted.items():
        for code, rows in doubts.items():
            kind, _, column = code.partition(":")
            if kind != doubtful_values.THOUSANDS or f"{doubtful_values.OTHER_POINTS}:{column}" in doubts:
                continue
            some = examples.get(code, ())
            if len(some) >= EXAMPLES:
                yield Finding(
                    code="thousands_points",
                    table=table,
                    column=column,
                    count=rows,
                    of=facts.row_counts.rows if table == "events" else facts.tables[table].rows,
                    examples=tuple(some[:3]),
                    what=f"{rows:,} values of {column} have a point, always before three digits: it may divide "
                    f"thousands, and is read as a decimal point.",
                    advice="If 1.000 means a thousand, write such numbers without points; else nothing is to be done.",
                )
