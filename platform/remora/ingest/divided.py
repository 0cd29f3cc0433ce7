"""Checks of how text is divided into rows, values and members of lists: quotes, escapes and separators."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from remora.ingest import doubts
from remora.ingest.facts import Facts
from remora.ingest.findings import Finding

_UNDIVIDED = 0.1


def backslash_quotes(facts: Facts) -> Iterator[Finding]:
    """Backslashes before quotes in CSV files that are read without an escape."""
    for table, rows in facts.doubts_of_tables(doubts.BACKSLASH):
        yield Finding(
            code="backslash_quotes",
            table=table,
            count=rows,
            of=facts.tables[table].rows,
            what=f'{rows:,} rows of {table} have a backslash before a quote (\\"), which is read as text.',
            advice="Spark and MySQL escape quotes so: give the source `escape: '\\'`.",
        )


def swallowed_lines(facts: Facts) -> Iterator[Finding]:
    """Lines of CSV files that a quote took into a value."""
    for table, lines in facts.doubts_of_tables(doubts.SWALLOWED):
        of = facts.row_counts.rows + lines if table == "events" else facts.tables[table].rows + lines
        yield Finding(
            code="swallowed_lines",
            level="error" if lines > facts.data.quarantine_limit * of else "warning",
            table=table,
            count=lines,
            of=of,
            what=f"{lines:,} lines of {table} that look like rows are within a value: a quote before them is not "
            f"closed.",
            advice="If the quotes are text (inches), give the source `quote: null`; else mend the file.",
        )


def list_separator(facts: Facts) -> Iterator[Finding]:
    """Lists in text that another character divides than the settings say."""
    for table, catalogue in facts.catalogues.items():
        for code, rows in catalogue.doubts.items():
            kind, _, column = code.partition(":")
            if kind != doubts.LIST_SEPARATOR or rows <= _UNDIVIDED * facts.tables[table].rows:
                continue
            members = pl.Series(column, catalogue.rows[column].to_pylist(), pl.List(pl.String)).explode().drop_nulls()
            marked = members.filter(members.str.contains_any(list(doubts.MARKS))).unique().sort()
            yield Finding(
                code="list_separator",
                table=table,
                column=column,
                count=rows,
                of=facts.tables[table].rows,
                examples=tuple(marked.head(3).to_list()),
                what=f"{rows:,} values of {column} hold a character that often divides lists (| ; , or a tab), and are "
                f"divided at another.",
                advice="Give the source the `list_separator` that it is written with.",
            )
