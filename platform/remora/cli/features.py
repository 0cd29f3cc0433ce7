"""`remora features`: build the tables, register them with Feast, fill the online store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.table import Table

from remora.cli.options import ConfigOption, JsonOption, emit
from remora.settings import activate, load

if TYPE_CHECKING:
    from remora.contracts.artifacts import Artifact

app = typer.Typer(
    no_args_is_help=True,
    help="""Features: the same in training and in serving.

    [bold]build[/bold] makes the tables of daily snapshots from the lake, [bold]apply[/bold] registers with Feast what
    feature_repo/ declares of them, [bold]materialize[/bold] fills the online store that requests read.

    Plain Feast works too: cd feature_repo && feast plan && feast apply.""",
)


@app.command()
def build(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Make the feature tables of the current lake with Ray Data.

    Trailing windows, popularity, trend, affinity and histories as of every midnight on which they change, and the
    columns of users and items that the settings declare. Unchanged lake and settings are a look-up.
    """
    from remora.contracts.home import Home
    from remora.features.build import build as make
    from remora.ingest.lake import Lake
    from remora.wiring.cluster import connect

    settings = load(config)
    activate(settings)
    lake = Lake.open(Home(settings.home))
    connect(settings)
    built = make(settings, lake)
    emit(built.receipt, as_json, lambda out: _render_tables(out, built))


@app.command()
def apply(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Register entities, views and services of feature_repo/ with Feast; what is no longer declared is removed.

    The registry is a file of the home, or the database that `features.registry` of the settings names.
    """
    from remora.features.store import apply as register

    settings = load(config)
    activate(settings)
    registered = register(settings)
    emit(registered, as_json, lambda out: _render_names(out, registered))


@app.command()
def materialize(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Write the latest row of every user and item to the online store, and read it back.

    The online store is a file of the home, or the Redis that `features.redis` of the settings names.
    """
    from remora.features.materialize import materialize as fill

    settings = load(config)
    activate(settings)
    counts = fill(settings)
    emit(counts, as_json, lambda out: _render_counts(out, "Online, and read back", counts))


def _render_tables(out: Console, built: Artifact) -> None:
    _render_counts(out, f"Feature tables {built.version}, up to {built.receipt['end'][:10]}", built.receipt["rows"])
    out.print("Next: remora features apply")


def _render_counts(out: Console, title: str, counts: dict[str, int]) -> None:
    table = Table(title=title, title_justify="left")
    table.add_column("view")
    table.add_column("rows", justify="right")
    for view, rows in counts.items():
        table.add_row(view, f"{rows:,}")
    out.print(table)


def _render_names(out: Console, registered: dict[str, list[str]]) -> None:
    for kind, names in registered.items():
        out.print(f"[bold]{kind.replace('_', ' ')}[/bold]: {', '.join(names)}")
    out.print("Next: remora features materialize")
