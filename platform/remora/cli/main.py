"""The `remora` command: puts the nouns together and turns errors into messages."""

from __future__ import annotations

import io
import os
import sys
import warnings
from importlib.metadata import version
from typing import Annotated, NoReturn

import typer

from remora.cli import (
    bundle,
    data,
    evaluate,
    events,
    explain,
    features,
    gate,
    gc,
    init,
    new,
    plan,
    recommend,
    rollback,
    rollout,
    run,
    runs,
    serve,
    simulate,
    train,
    tune,
)
from remora.cli.options import console
from remora.cli.progress import show_progress
from remora.cli.terminal import line, styled
from remora.cli.unforeseen import DEBUG, deliberate, described, trace
from remora.core.errors import DataError, NotReady, RemoraError, SettingsError
from remora.core.private import keep_private
from remora.core.private_folder import remove_own
from remora.wiring.surroundings import settle

app = typer.Typer(
    name="remora",
    pretty_exceptions_enable=False,  # see remora.cli.unforeseen
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="""A recommender platform on Ray: from tables of events, users and items to a running endpoint.

    The whole path:  [bold]remora run --config config/movielens_100k.yaml --serve[/bold]

    What it would do, and why:  [bold]remora plan[/bold]

    The same by parts: data download, data ingest, data report, features build, features apply, features materialize,
    train retrieval, train models, train ranking, evaluate, bundle build, gate, bundle promote, serve start,
    recommend USER.

    Every command remembers the home it worked on, so --config is needed once.""",
)
app.add_typer(data.app, name="data")
app.add_typer(events.app, name="events")
app.add_typer(features.app, name="features")
app.add_typer(train.app, name="train")
app.add_typer(tune.app, name="tune")
app.add_typer(bundle.app, name="bundle")
app.add_typer(rollout.app, name="rollout")
app.add_typer(serve.app, name="serve")
app.add_typer(simulate.app, name="simulate")
app.add_typer(new.app, name="new")
app.command("evaluate")(evaluate.evaluate)
app.command("gate")(gate.gate)
app.command("recommend")(recommend.recommend)
app.command("explain")(explain.explain)
app.command("plan")(plan.plan)
app.command("init")(init.init)
app.command("run")(run.run)
app.command("rollback")(rollback.rollback)
app.command("runs")(runs.runs)
app.command("gc")(gc.gc)

EXIT_CODES = ((SettingsError, 2), (DataError, 3), (NotReady, 4), (RemoraError, 1))
"""First match wins: who must act can be told from the exit code."""


INTERRUPTED = 130
UNFORESEEN = 70


@app.callback(invoke_without_command=True)
def _main(
    show_version: Annotated[bool, typer.Option("--version", help="Print the version and stop.", is_eager=True)] = False,
) -> None:
    if show_version:
        typer.echo(version("remora"))
        raise typer.Exit
    show_progress()


def main() -> None:
    """Entry point. Exit codes: 0 done, 1 request rejected, 2 invalid usage or settings, 3 invalid data, 4 temporarily
    unavailable, 70 a bug, 130 interrupted."""
    keep_private()
    settle()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # of a terminal that is not UTF-8
    os.environ.setdefault("RAY_AUTH_MODE", "token")  # Ray reads it when it is imported
    if not sys.warnoptions:
        # Those of the libraries underneath, which set filters of their own; -W shows them.
        warnings.showwarning = lambda *_, **__: None
    _leave(_run())


def _run() -> int:
    try:
        app()
    except SystemExit as leaving:
        if leaving.code == INTERRUPTED:
            console.print(
                line(styled("Interrupted.", "yellow"), " Nothing is left half done: run the same command again.")
            )
        return leaving.code if isinstance(leaving.code, int) else 0
    except Exception as error:  # noqa: BLE001  an unforeseen error becomes one line, its trace is kept
        return _failed(error)
    return 0


def _failed(error: Exception) -> int:
    """Say what went wrong; the exit code says who must act."""
    meant = deliberate(error)
    if os.environ.get(DEBUG):
        sys.stderr.write(trace(error))
    if meant is None:
        console.print(line(styled("Error", "red"), " ", described(error)))
        return UNFORESEEN
    console.print(line(styled(type(meant).__name__, "red"), " ", str(meant)))
    return next(code for kind, code in EXIT_CODES if isinstance(meant, kind))


def _leave(code: int) -> NoReturn:
    """End without the interpreter's own clean-up: DuckDB's and FAISS's bindings print there, or crash."""
    if "ray" in sys.modules:
        sys.modules["ray"].shutdown()
    remove_own()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
