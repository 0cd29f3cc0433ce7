"""`remora runs`: what became of each run, and whether one is late."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from remora.cli.options import ConfigOption, JsonOption, emit
from remora.cli.terminal import line, styled
from remora.core.printable import one_line
from remora.settings import load

if TYPE_CHECKING:
    from remora.workflow.run_records import RunRecord

COLOURS = {"succeeded": "green", "failed": "red", "died": "red", "running": "yellow"}
LATE = 1


def runs(
    check: Annotated[
        bool,
        typer.Option(
            "--check", help="For a schedule: alert and exit 1 when a run died, or none succeeded in time (retraining)."
        ),
    ] = False,
    last: Annotated[int, typer.Option(help="How many, the newest.")] = 20,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """What became of the runs of this home: by whom, what was new, how long each step took, and errors."""
    from remora.core.home import Home
    from remora.workflow.run_recorder import check as look
    from remora.workflow.run_records import Records

    settings = load(config)
    sent = look(settings) if check else []
    found = Records(Home(settings.home)).all()[-last:]
    value: dict[str, Any] = {"runs": [record.model_dump(mode="json") for record in found]}
    if check:
        value["alerts"] = [alert.model_dump(mode="json") for alert in sent]
    emit(value, as_json, lambda out: _render(out, found, [alert.text for alert in sent]))
    if sent:
        raise typer.Exit(LATE)


def _render(out: Console, found: list[RunRecord], sent: list[str]) -> None:
    if not found:
        out.print("No run yet. `remora run` makes one.")
    else:
        out.print(_table(found))
    for text in sent:
        out.print(line(styled("alert", "red"), f" {text}"))


def _table(found: list[RunRecord]) -> Table:
    table = Table(title="Runs, the newest last", title_justify="left")
    for column in ("began (UTC)", "by", "outcome"):
        table.add_column(column)
    for column in ("files", "rows", "days", "seconds"):
        table.add_column(column, justify="right")
    table.add_column("result")
    for record in found:
        outcome = styled(record.outcome, COLOURS[record.outcome])
        seconds = "" if record.seconds is None else f"{record.seconds:,.0f}"
        began, by = f"{record.started_at:%Y-%m-%d %H:%M:%S}", one_line(record.by)
        table.add_row(began, by, outcome, *_new(record), seconds, _result(record))
    return table


def _new(record: RunRecord) -> tuple[str, str, str]:
    """Files and rows that were read, days that have new events."""
    if record.nothing_new or not record.new:
        return "0" if record.nothing_new else "", "", ""
    try:
        days = record.new["days"]
        return f"{record.new['files']['read']:,}", f"{record.new['rows_read']:,}", f"{days['new'] + days['merged']:,}"
    except (KeyError, TypeError, ValueError):  # of another version of Remora, or changed since it was written
        return "", "", ""


def _result(record: RunRecord) -> str:
    if record.error is not None:
        return f"{record.error.step or 'start'}: {record.error.type}: {record.error.message.splitlines()[0]}"
    if record.outcome in ("running", "died"):
        return f"at {record.step or 'start'}"
    if record.nothing_new:
        return "nothing new"
    return f"bundle {record.bundle}: {record.policy}" if record.bundle else ""
