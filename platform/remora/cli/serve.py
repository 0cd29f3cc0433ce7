"""`remora serve`: the endpoint."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from remora.cli.options import ConfigOption, JsonOption, console, emit
from remora.cli.terminal import line, styled
from remora.settings import ACTIVE, load

app = typer.Typer(
    no_args_is_help=True,
    help="""Serve recommendations over HTTP with Ray Serve.

    [bold]remora serve start[/bold] starts a Ray cluster of this checkout's own (or joins cluster.address of the
    settings), deploys the production bundle and returns when it answers. The same app runs with `serve run
    serve_apps.recommend:app` and `serve deploy serve_apps/config.yaml`.""",
)


class TopologyChoice(StrEnum):
    """How the stages are laid out."""

    fused = "fused"
    graph = "graph"


@app.command("start")
def start(
    config: ConfigOption = None,
    bundle: Annotated[str, typer.Option(help="Alias or id of the bundle; see `remora bundle list`.")] = "production",
    topology: Annotated[
        TopologyChoice | None,
        typer.Option(
            help="fused: all stages in each replica, lowest latency. graph: a deployment per phase, each scaled by "
            "itself. Default: the settings'."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Serve a bundle; running already, it is replaced without a pause."""
    from remora.serving import deploy

    with console.status("starting") as spinner:
        endpoint = deploy.start(
            load(config),
            bundle=bundle,
            topology=topology.value if topology else None,
            on_progress=lambda what: spinner.update(what),
        )

    def render(out: Console) -> None:
        table = Table.grid(padding=(0, 2))
        table.add_row("endpoint", endpoint.url)
        table.add_row("API docs", endpoint.docs)
        if endpoint.grpc:
            table.add_row("gRPC", endpoint.grpc)
        table.add_row("Ray dashboard", endpoint.dashboard or "that of the cluster")
        table.add_row("bundle", f"{endpoint.bundle} ({endpoint.variant}), {endpoint.topology}")
        out.print(table)
        out.print("Try `remora recommend USER`; end it with `remora serve stop`.")

    emit(endpoint.model_dump(), as_json, render)


@app.command("status")
def status(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Does it run, is it ready, which bundle, how many replicas?"""
    from remora.serving import deploy

    found = deploy.status(load(config))

    def render(out: Console) -> None:
        table = Table.grid(padding=(0, 2))
        table.add_row("endpoint", found.url)
        table.add_row("application", f"{found.application}{', ready' if found.ready else ', not ready'}")
        if found.bundle:
            table.add_row("bundle", found.bundle)
        for name, replicas in found.deployments.items():
            table.add_row(name, f"{replicas} running")
        for bundle, why in found.refused.items():
            table.add_row("refused", line(styled(bundle, "red"), f": {why}"))
        for move in found.unrecorded_moves:
            table.add_row("refused", line(styled(move.alias, "red"), f": {move.message}"))
        for problem in found.problems:
            table.add_row(styled("problem", "red"), line(problem))
        if found.message:
            table.add_row("", found.message)
        out.print(table)

    emit(found.model_dump(), as_json, render)


@app.command("stop")
def stop(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """End the app, and what this checkout started for it (Ray cluster, MLflow page); nothing else is touched."""
    from remora.wiring import cluster
    from remora.wiring.mlflow_ui import stop_mlflow

    ended = stop_mlflow()
    if config is None and not ACTIVE.exists():  # nothing was ever served from here but what was started by hand
        ended |= cluster.stop_head()
    else:
        from remora.serving import deploy

        ended |= deploy.stop(load(config))
    emit({"ended": ended}, as_json, lambda out: out.print("Ended." if ended else "Nothing was running."))
