"""`remora init`: a project of one's own, with settings proposed from the tables."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from remora.cli.options import JsonOption, console, emit
from remora.cli.terminal import line, styled
from remora.core.errors import SettingsError

if TYPE_CHECKING:
    from remora.project.folders import ProjectFiles
    from remora.project.proposal.propose import Proposal

SETTINGS_FILE = "remora.yaml"

OfEvents = "Column of the events"


def init(
    events: Annotated[
        str, typer.Option(help="What users did: a CSV, JSON lines or Parquet file, or a folder of them.")
    ],
    items: Annotated[str | None, typer.Option(help="What is known of items, if there is such a table.")] = None,
    users: Annotated[str | None, typer.Option(help="What is known of users, if there is such a table.")] = None,
    folder: Annotated[Path, typer.Option(help="Of the project; made if need be.")] = Path(),
    name: Annotated[str, typer.Option(help="Of the settings. Default: the folder's.")] = "",
    user: Annotated[str, typer.Option(help=f"{OfEvents} with the user's id, where init does not find it.")] = "",
    item: Annotated[str, typer.Option(help=f"{OfEvents} with the item's id.")] = "",
    time: Annotated[str, typer.Option(help=f"{OfEvents} with the time.")] = "",
    type: Annotated[str, typer.Option(help=f"{OfEvents} that says what kind of event a row is.")] = "",
    force: Annotated[bool, typer.Option("--force", help=f"Replace {SETTINGS_FILE}, if it exists.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Look at your tables and write a project: settings with comments, feature declarations, jobs, the Serve app.

    Columns, event types, time and its windows, objectives and columns that leak are proposed from the names and from
    samples of the rows, each with its evidence. What is not sure is listed. An existing file stays as it is; --force
    replaces the settings alone.
    """
    from datetime import UTC, datetime

    from remora.project.folders import project_files, write_project
    from remora.project.proposal.propose import name_of, propose

    file = folder / SETTINGS_FILE
    if file.exists() and not force:
        raise SettingsError(f"{file} exists. Pass --force to replace it, or --folder to begin another project.")
    paths = {"events": events} | {table: path for table, path in (("items", items), ("users", users)) if path}
    named = {"user_id": user, "item_id": item, "event_timestamp": time, "event_type": type}
    given = {role: column for role, column in named.items() if column}
    name = name or name_of(folder)
    home = str(folder.resolve() / ".remora" / name)
    with console.status("reading samples of the tables"):
        proposal = propose(paths, given, name=name, home=home, now=datetime.now(UTC))
    files = {SETTINGS_FILE: proposal.text, **project_files()}
    written = write_project(folder, files, replace=[SETTINGS_FILE] if force else ())
    emit(_value(proposal, written, file), as_json, lambda out: _render(out, proposal, written, file))


def _value(proposal: Proposal, written: ProjectFiles, file: Path) -> dict[str, Any]:
    found = proposal.analysis
    return {
        "settings": str(file),
        "written": [str(path) for path in written.written],
        "kept": [str(path) for path in written.kept],
        "columns": found.roles.columns,
        "event_types": {name: {"weight": t.weight, "sign": t.sign} for name, t in found.kinds.types.items()},
        "leaks": [{"table": table, "column": name, "why": why} for table, name, why in _leaks(proposal)],
        "unsure": [{"what": what, "change": change} for what, change in proposal.doubts],
    }


def _leaks(proposal: Proposal) -> list[tuple[str, str, str]]:
    found = proposal.analysis
    profiles = {**{name: plan.profile for name, plan in found.tables.items()}, **found.from_events}
    return [(table, name, why) for table, profile in profiles.items() for name, why in profile.leaks]


def _render(out: Console, proposal: Proposal, written: ProjectFiles, file: Path) -> None:
    out.print(_found(proposal))
    out.print(_types(proposal))
    for table, name, why in _leaks(proposal):
        out.print(line(styled("left out", "yellow"), f" {name} of {table}: {why}"))
    from remora.project.proposal.settings_text import sentence

    if proposal.doubts:
        out.print("Not sure, please look at:")
        for number, (what, change) in enumerate(proposal.doubts, 1):
            out.print(line(f"  {number}. {sentence(what)} ", styled(change, "cyan")))
    out.print(line(f"Wrote {file}", f" and {len(written.written) - 1} further files of the project."))
    for path in written.kept:
        out.print(line(f"Left as it is: {path}"))
    place = "" if file.parent == Path() else f"cd {file.parent} && "
    out.print(f"Next: {place}remora run --config {file.name} --serve")


def _found(proposal: Proposal) -> Table:
    found = proposal.analysis
    table = Table(title="Tables", title_justify="left", show_header=False)
    table.add_column(style="bold")
    table.add_column()
    time = found.roles.time
    rows = found.events.sample
    about = "" if rows.exact else "about "
    table.add_row("events", f"{about}{rows.total:,} rows, {time.first:%Y-%m-%d} to {time.last:%Y-%m-%d}; {rows.format}")
    for role in ("user_id", "item_id", "event_timestamp", "event_type", "value"):
        if role in found.roles.columns:
            table.add_row(f"  {role}", f"{found.roles.columns[role]}: {found.roles.why[role]}")
    for name in ("items", "users"):
        if name in found.tables:
            plan = found.tables[name]
            assert plan.key is not None
            table.add_row(name, f"{plan.sample.total:,} rows; {plan.key.why}")
            table.add_row("  columns", ", ".join(plan.profile.columns) or "none beside the id")
        elif name in found.from_events:
            table.add_row(name, f"from the events: {', '.join(found.from_events[name].columns)}")
        else:
            table.add_row(name, "those that events name")
    for window in found.split.windows:
        span = f"{window.start:%Y-%m-%d} to {window.end:%Y-%m-%d}"
        table.add_row(
            window.name, f"{span}, about {window.positive:,} positive events, {window.fresh:,} with new items"
        )
    return table


def _types(proposal: Proposal) -> Table:
    table = Table(title="Event types", title_justify="left")
    table.add_column("type")
    for column in ("weight", "sign"):
        table.add_column(column, justify="right")
    table.add_column("")
    for name, one in proposal.analysis.kinds.types.items():
        table.add_row(name, f"{one.weight:g}", f"{one.sign:+d}" if one.sign else "0", one.why)
    return table
