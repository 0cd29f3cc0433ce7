"""`remora events`: what users did, sent to the running endpoint, and what its log has."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from remora.cli.options import ConfigOption, JsonOption, console, emit
from remora.settings import load

if TYPE_CHECKING:
    from rich.console import Console

app = typer.Typer(
    no_args_is_help=True,
    help="""Events while they happen: sent to the endpoint, kept in a log, brought to the lake.

    [bold]send[/bold] gives a file's events to the endpoint; [bold]status[/bold] says what the log has;
    `remora data ingest` and `remora run` bring it to the lake, [bold]collect[/bold] does the first half of that;
    [bold]backfill[/bold] brings a topic of Kafka that was written by others; [bold]outcomes[/bold] says what became of
    what was shown.""",
)


@app.command()
def send(
    file: Annotated[Path, typer.Argument(help="JSON lines, CSV or Parquet; columns are called as an event's fields.")],
    url: Annotated[str | None, typer.Option(help="Of the endpoint. Default: the settings' host and port.")] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send the events of a file to the running endpoint, in batches.

    An event without an `event_id` is given one of its content, so the same file may be sent again: what was taken
    before is a duplicate then. While the endpoint cannot take events, the batch is tried again for a minute.
    """
    from remora.serving.deploy import url_of
    from remora.serving.event_file import read_events
    from remora.serving.event_sender import send as send_all

    where = url or url_of(load(config))
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("events", total=None)
        sent = send_all(where, read_events(file), advanced=lambda count: progress.advance(bar, count))

    def drawn(out: Console) -> None:
        counts = {name: sent.as_json()[name] for name in ("accepted", "duplicates", "quarantined")}
        out.print(", ".join(f"{count:,} {name}" for name, count in counts.items()))
        for reason, count in sent.reasons.most_common():
            out.print(f"  {count:,}: {reason}", markup=False)

    emit(sent.as_json(), as_json, drawn)


@app.command()
def collect(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Bring what the log has to files of the home, as the ingest does before it reads them.

    Needed by itself only where nodes keep logs on disks of their own: run it on each of them.
    """
    from remora.events.collect import collect as bring

    found = bring(load(config))

    def drawn(out: Console) -> None:
        for folder, rows in found.rows.items():
            out.print(f"{rows:,} rows to {folder}")
        out.print(f"{found.files:,} files written; {found.removed:,} old files of the log removed")

    emit(vars(found), as_json, drawn)


@app.command()
def backfill(
    topic: Annotated[str, typer.Argument(help="Of Kafka; each message is one event, as `POST /v1/events` takes it.")],
    since: Annotated[datetime | None, typer.Option(help="Messages from then on (UTC). Default: all.")] = None,
    until: Annotated[datetime | None, typer.Option(help="Messages before then (UTC). Default: up to now.")] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring what lies in a topic of Kafka already to files of the home, read by Ray Data.

    For the history of a topic that the endpoint does not write. What breaks the contract is quarantined with its
    reason. A topic may be brought again: the lake has each event once.
    """
    from remora.events.backfill import backfill as bring
    from remora.events.backfill import brokers_of
    from remora.wiring import cluster

    settings = load(config)
    brokers_of(settings)  # before a cluster is started for it
    cluster.connect(settings)
    span = {"since": since and since.replace(tzinfo=UTC), "until": until and until.replace(tzinfo=UTC)}
    found = bring(settings, topic, **span)

    def drawn(out: Console) -> None:
        counts = found.as_json()
        out.print(
            f"{counts['accepted']:,} accepted, {counts['quarantined']:,} quarantined; {found.files:,} files written"
        )
        out.print("`remora data ingest` or `remora run` reads them.")

    emit(found.as_json(), as_json, drawn)


@app.command()
def outcomes(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Say what became of the items that were shown: events by surface, variant and bundle.

    An item of a slate closes once, when the horizon has passed and `events.outcome_lateness_hours`; what is learned
    later is a correction, counted beside. Slates that were collected are read, and the events of the lake: run it after
    `remora data ingest`.
    """
    from remora.core.home import Home
    from remora.datasets.outcomes import close_outcomes, outcome_rates

    settings = load(config)
    closed = close_outcomes(settings)
    rates = outcome_rates(Home(settings.home)).to_dicts()

    def drawn(out: Console) -> None:
        if not rates:
            out.print("Nothing has closed yet: slates are to be collected, and their horizon to pass.")
            return
        table = Table("surface", "variant", "bundle", "event", "shown", "events", "rate", "later")
        for row in rates:
            counts = [f"{row['exposures']:,}", f"{row['events']:,}", f"{row['rate']:.4f}", f"{row['corrections']:,}"]
            table.add_row(
                *(Text(str(row[name] or "")) for name in ("surface", "variant", "bundle", "event_type")), *counts
            )
        out.print(table)
        for why, count in closed.orphans.items():
            out.print(f"{count:,} events since the last time belong to no slate: {why}", markup=False)

    emit({"until": closed.until, "closed": closed.rows, "orphans": closed.orphans, "rates": rates}, as_json, drawn)


@app.command()
def status(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Say how much the log has, how much of it is not collected yet, and what the home has of it."""
    from remora.events.collect import log_status

    settings = load(config)
    found, unit = log_status(settings), "bytes" if settings.events.kafka.brokers is None else "records"

    def drawn(out: Console) -> None:
        for topic, left in found.logs.items():
            out.print(f"{topic}: {left:,} {unit} of the log are not collected yet")
        if not found.logs:
            out.print("There is no log yet.")
        for topic, files in found.collected.items():
            out.print(f"{topic}: {files:,} files are collected")

    emit(vars(found) | {"unit": unit}, as_json, drawn)
