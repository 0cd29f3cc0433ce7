"""`remora simulate`: a world of users with known tastes, as tables to train on or as callers of the endpoint."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from remora.cli.options import ConfigOption, JsonOption, console, emit
from remora.cli.terminal import line, styled
from remora.core.errors import RemoraError
from remora.settings import load

if TYPE_CHECKING:
    from rich.console import Console

    from remora.simulation.endpoint_driver import EndpointDriver

MAX_MINUTES = 7 * 24 * 60.0

app = typer.Typer(
    no_args_is_help=True,
    help="""A world of users whose tastes are known.

    [bold]tables[/bold] writes what they did as tables, with settings that `remora run` accepts; [bold]run[/bold] has
    users ask the running endpoint for slates and sends it what they do.""",
)


class PresetName(StrEnum):
    """Worlds that are measured against real data."""

    movielens = "movielens"
    shop = "shop"


@app.command()
def tables(
    out: Annotated[Path, typer.Option(help="Folder for the tables and their settings.")],
    preset: Annotated[PresetName, typer.Option(help="Which data the world is like.")] = PresetName.movielens,
    users: Annotated[int | None, typer.Option(min=1, help="Default: as many as the data has.")] = None,
    items: Annotated[int | None, typer.Option(min=1, help="Default: as many as the data has.")] = None,
    days: Annotated[
        int | None, typer.Option(min=1, max=3_650, help="Default: about as many events as the data.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**31, help="Of everything that is drawn.")] = 1,
    impressions: Annotated[
        bool, typer.Option("--impressions", help="Also write what was shown, with its chance.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Write events, users and items of a simulated world as Parquet, and settings to train on them.

    The same options write the same rows. `world.json` beside them is the world: what would be clicked is known.
    """
    from pydantic import ValidationError

    from remora.simulation.presets import PRESETS
    from remora.simulation.tables import write_tables
    from remora.simulation.world_settings import WorldSettings

    chosen = PRESETS[preset.value]
    sizes = {"users": users, "items": items, "seed": seed}
    given = {name: value for name, value in sizes.items() if value is not None}
    try:
        world = WorldSettings.model_validate(chosen.world.model_dump() | given)
    except ValidationError as error:
        raise typer.BadParameter(str(error.errors()[0]["msg"]), param_hint="--users, --items") from error
    with console.status("the world lives"):
        written = write_tables(out, world, days or chosen.days, impressions=impressions)
    value = {"rows": written.rows, "requests": written.requests, "settings": str(written.settings)}

    def drawn(paper: Console) -> None:
        counts = ", ".join(f"{rows:,} {name}" for name, rows in written.rows.items())
        paper.print(f"{counts} of {written.requests:,} requests, in {out}")
        paper.print(f"Next: remora run --config {written.settings}", soft_wrap=True)

    emit(value, as_json, drawn)


@app.command()
def run(
    minutes: Annotated[float, typer.Option(min=0.01, max=MAX_MINUTES, help="How long.")] = 5.0,
    rate: Annotated[
        float, typer.Option(min=0.01, max=1_000, help="Requests a second, where answers come as fast.")
    ] = 5.0,
    seed: Annotated[int, typer.Option(min=0, max=2**31, help="Of the users' tastes, where the data has no world.")] = 1,
    surface: Annotated[str, typer.Option(help="A surface that needs no seed item.")] = "home_feed",
    url: Annotated[str | None, typer.Option(help="Of the endpoint. Default: the settings' host and port.")] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Have simulated users ask the running endpoint for slates, and send it what they do.

    The users and items are those of the home. Tables of `remora simulate tables` bring their world; over other data
    tastes are drawn, for categories where the items have them. Ctrl-C ends the run and prints what was counted.
    """
    import httpx

    from remora.core.http_answers import checked_url
    from remora.serving.client import TIMEOUT_SECONDS
    from remora.serving.deploy import url_of
    from remora.simulation.endpoint_driver import EndpointDriver
    from remora.simulation.home_world import events_of, world_of

    settings = load(config)
    where = checked_url(url or url_of(settings))
    with console.status("the world of this home"):
        world = world_of(settings, seed, datetime.now(UTC))
    with httpx.Client(base_url=where, timeout=TIMEOUT_SECONDS) as client:
        timed = settings.data.clock != "data"
        driver = EndpointDriver(client, world, events_of(settings, world), surface=surface, timed=timed)
        try:
            _follow(driver, minutes * 60, rate)
        except RemoraError:
            if driver.summary.requests:
                _summarize(driver, as_json)
            raise
    _summarize(driver, as_json)


def _summarize(driver: EndpointDriver, as_json: bool) -> None:
    value = driver.summary.as_json()
    emit(value, as_json, lambda paper: render(paper, value))


def _follow(driver: EndpointDriver, seconds: float, rate: float) -> None:
    """Drive until the time is over or the user interrupts."""
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    try:
        with Progress(*columns, console=console) as progress:
            bar = progress.add_task("requests", total=max(round(seconds * rate), 1))
            for requests in driver.drive(seconds, rate):
                progress.update(bar, completed=requests)
    except KeyboardInterrupt:
        console.print(line(styled("Interrupted.", "yellow"), " What was counted until then:"))


def render(paper: Console, value: dict[str, Any]) -> None:
    """Draw the result of a run."""
    latency = f"p50 {value['p50_ms']} ms, p99 {value['p99_ms']} ms" if value["p50_ms"] is not None else "no answer"
    paper.print(f"{value['requests']:,} requests, {latency}")
    events = ", ".join(f"{count:,} {verdict}" for verdict, count in value["events"].items()) or "none sent"
    unsent = f"; {value['unsent']:,} not due yet at the end" if value["unsent"] else ""
    paper.print(f"events: {events}{unsent}")
    for what in ("failures", "reasons"):
        for cause, count in value[what].items():
            paper.print(f"  {count:,}: {cause}")
    table = Table(title="Clicks by position", title_justify="left")
    table.add_column("position", justify="right")
    table.add_column("click rate", justify="right")
    for position, rate in value["click_rate_by_position"].items():
        table.add_row(str(position), f"{rate:.1%}")
    paper.print(table)
