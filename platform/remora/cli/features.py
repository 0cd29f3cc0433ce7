"""`remora features`: build the tables, register them with Feast, fill the online store, join rows, check parity."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from remora.cli.options import ConfigOption, JsonOption, emit
from remora.cli.terminal import line, styled
from remora.core.printable import one_line
from remora.settings import activate, load

if TYPE_CHECKING:
    from remora.core.artifacts import Artifact
    from remora.features.logged_parity import LoggedParityReport
    from remora.features.parity import ParityDifference, ParityReport
    from remora.features.point_in_time.join_report import JoinReport
    from remora.settings import Settings

app = typer.Typer(
    no_args_is_help=True,
    help="""Features: the same in training and in serving.

    [bold]build[/bold] makes the tables of daily snapshots from the lake, [bold]apply[/bold] registers with Feast what
    feature_repo/ declares of them, [bold]materialize[/bold] fills the online store that requests read.
    [bold]training-set[/bold] builds a training set, [bold]parity[/bold] compares what serves with what trains.

    Plain Feast works too: cd feature_repo && feast plan && feast apply.""",
)


@app.command()
def build(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Make the feature tables of the current lake with Ray Data.

    Trailing windows, popularity, trend, affinity and histories as of every midnight on which they change, and the
    columns of users and items that the settings declare. When lake and settings have not changed, the result is reused.
    """
    from remora.core.home import Home
    from remora.features.build import build as make
    from remora.ingest.lake import Lake
    from remora.wiring.cluster import connect

    settings = load(config)
    activate(settings)
    Lake.open(Home(settings.home))  # before a cluster is started: without a lake there is nothing to build
    connect(settings)
    built = make(settings)
    emit(built.metadata, as_json, lambda out: _render_tables(out, built))


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


@app.command()
def parity(
    config: ConfigOption = None,
    users: Annotated[int, typer.Option(min=1, help="How many users to read back, spread evenly over all.")] = 200,
    logged: Annotated[
        int | None,
        typer.Option(min=1, max=10_000, help="Compare the last so many requests whose features were logged instead."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Compare the features that serve with the same features computed offline; exit code 3 names what differs.

    Users come from the online store, items from the snapshot of the bundle in production; both are computed again by
    the point-in-time join, as of the instant that they serve. With --logged, what the ranker read of the items of
    requests (events.log_features_share) is computed again, as of each request and with the bundle that answered it.
    """
    from remora.core.home import Home
    from remora.features.applied import check_materialized
    from remora.features.parity import parity as compare
    from remora.features.parity import served
    from remora.features.snapshot import ItemSnapshot
    from remora.features.store import open_store
    from remora.ingest.lake import Lake
    from remora.registry.bundles import Bundles
    from remora.wiring.bundle_contents import SNAPSHOT
    from remora.wiring.cluster import connect

    settings = load(config)
    activate(settings)
    if logged is not None:
        _parity_of_requests(settings, logged, as_json)
        return
    check_materialized(settings)
    lake, store, bundles = Lake.open(Home(settings.home)), open_store(settings), Bundles(settings)
    snapshot = ItemSnapshot.load(bundles.open(bundles.resolve("production")).local() / SNAPSHOT)
    connect(settings)
    report = compare(settings, lake, store, served(settings, store, snapshot, users))
    emit(report.model_dump(), as_json, lambda out: _render_parity(out, report))
    if report.differences:
        raise typer.Exit(3)


def _parity_of_requests(settings: Settings, most: int, as_json: bool) -> None:
    from remora.core.errors import NotReady
    from remora.core.home import Home
    from remora.features.store import open_store
    from remora.ingest.lake import Lake
    from remora.wiring.cluster import connect
    from remora.wiring.logged_requests import latest_logged, logged_parity

    home = Home(settings.home)
    lake, store, requests = Lake.open(home), open_store(settings), latest_logged(home, most)
    if not len(requests):
        raise NotReady(
            "No request with logged features was collected. Serve some with events.log_features_share above 0, and run "
            "`remora events collect`."
        )
    connect(settings)
    report = logged_parity(settings, lake, store, requests)
    emit(report.model_dump(), as_json, lambda out: _render_logged(out, report))
    if report.differences:
        raise typer.Exit(3)


@app.command("training-set")
def training_set(
    entities: Annotated[str, typer.Argument(help="Parquet file or folder: join keys and event_timestamp of each row.")],
    out: Annotated[str, typer.Option("--out", help="Folder to write; it must not be there yet.")],
    service: Annotated[str, typer.Option(help="Feature service whose features are joined.")] = "ranking",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Build a training set: the rows of ENTITIES with the features as they were at each row's instant.

    Distributed, exact, every row kept; the report of the join is written beside the data and drawn here.
    """
    from remora.features.offline import training_set
    from remora.features.store import open_store
    from remora.wiring.cluster import connect

    settings = load(config)
    activate(settings)
    store = open_store(settings)
    connect(settings)
    report = training_set(store, entities, service, out if "://" in out else str(Path(out).absolute()))
    emit(report.model_dump(), as_json, lambda paper: render_join_report(paper, report))


def render_join_report(out: Console, report: JoinReport) -> None:
    """What a point-in-time join did, as a table."""
    table = Table(title=f"{report.rows_in:,} rows in, {report.rows_out:,} rows out", title_justify="left")
    for name in ("view", "strategy", "matched", "unmatched", "expired", "mean age", "oldest", "would leak"):
        table.add_column(name, justify="left" if name in ("view", "strategy") else "right")
    for name, view in report.views.items():
        ages = [_days(seconds) for seconds in (view.mean_age_seconds, view.max_age_seconds)]
        counts = [f"{count:,}" for count in (view.matched, view.unmatched, view.expired)]
        table.add_row(name, view.strategy, *counts, *ages, f"{view.leaks:,}")
    out.print(table)
    out.print("would leak: rows for which a join without time would have taken a later value", style="dim")


def _days(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds / 86_400:.1f} d"


def _render_differences(out: Console, differences: Sequence[ParityDifference]) -> None:
    table = Table(title="Served beside computed offline", title_justify="left")
    for name in ("column", "rows", "for example", "served", "offline", "looks like"):
        table.add_column(name)
    for one in differences:
        values = (str(one.rows), one.example, one.served, one.recomputed, one.likely_cause)
        table.add_row(one.column, *(one_line(value, limit=60) for value in values))
    if differences:
        out.print(table)


def _render_logged(out: Console, report: LoggedParityReport) -> None:
    _render_differences(out, report.differences)
    for reason, count in report.left_out.items():
        out.print(f"{count:,} requests were left out: {reason}.")
    out.print(
        f"{report.columns} columns of {report.rows:,} items in {report.requests:,} requests: "
        f"{len(report.differences)} differ."
    )


def _render_parity(out: Console, report: ParityReport) -> None:
    _render_differences(out, report.differences)
    out.print(
        f"{report.columns} columns of {report.users:,} users at {report.users_at[:19]} and {report.items:,} items at "
        f"{report.items_at[:19]}: {len(report.differences)} differ."
    )


def _render_tables(out: Console, built: Artifact) -> None:
    _render_counts(out, f"Feature tables {built.version}, up to {built.metadata['end'][:10]}", built.metadata["rows"])
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
        out.print(line(styled(kind.replace("_", " "), "bold"), f": {', '.join(names)}"))
    out.print("Next: remora features materialize")
