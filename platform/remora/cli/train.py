"""`remora train`: the two towers that find candidates, and the trees that order them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from remora.cli.features import render_join_report
from remora.cli.options import ConfigOption, JsonOption, emit
from remora.contracts.redaction import redacted
from remora.settings import activate, load

if TYPE_CHECKING:
    from remora.contracts.artifacts import Artifact

app = typer.Typer(
    no_args_is_help=True,
    help="""Models, trained on Ray Train and tracked in MLflow.

    [bold]retrieval[/bold] learns from the first part of time, [bold]ranking[/bold] from the candidates that retrieval
    gives in the part after it; the rest is for validation and the test (section [bold]split[/bold] of the settings).

    A training that was cut off continues from its last checkpoint when it is started again.""",
)


@app.command()
def retrieval(
    config: ConfigOption = None,
    tuned: Annotated[str | None, typer.Option(help="Use the best settings of this search (remora tune).")] = None,
    as_json: JsonOption = False,
) -> None:
    """Train the two towers and build the index of item vectors.

    Reads the lake. Reports loss and recall among held-out users after each epoch. When lake and settings have
    not changed, the result is reused.
    """
    from remora.training.retrieval import train
    from remora.wiring.cluster import connect

    settings = load(config)
    activate(settings)
    if tuned is not None:
        from remora.training.tuning.retrieval import tuned as best_of

        settings = best_of(settings, tuned)
    connect(settings)
    trained = train(settings)
    emit(trained.metadata, as_json, lambda out: _render(out, "Retrieval", trained, "remora train ranking"))


@app.command()
def ranking(
    config: ConfigOption = None,
    tuned: Annotated[str | None, typer.Option(help="Use the best settings of this search (remora tune).")] = None,
    as_json: JsonOption = False,
) -> None:
    """Train the ranker on the candidates of its window, with the features of the time.

    Predicts each of `ranking.objectives` by `ranking.models`, blends and calibrates them on the validation window, and
    writes a report with plots. Reads the lake, the feature store and the retrieval model. Rows are made once: another
    model over the same candidates begins at once. A feature that knows the future is named and refused.
    """
    from remora.training.ranking import train
    from remora.wiring.cluster import connect

    settings = load(config)
    activate(settings)
    if tuned is not None:
        from remora.training.tuning.ranking import tuned as best_of

        settings = best_of(settings, tuned)
    connect(settings)
    trained = train(settings)
    emit(trained.metadata, as_json, lambda out: _render_ranking(out, trained))


def _render_ranking(out: Console, trained: Artifact) -> None:
    from remora.features.point_in_time.join_report import JoinReport

    for name, rows in trained.metadata.get("rows", {}).items():
        out.print(f"Rows of the {name} window")
        render_join_report(out, JoinReport.model_validate(rows))
    _render(out, "Ranking", trained, "remora evaluate")
    out.print(f"Report: {redacted(trained.home.url)}/{trained.folder}/report.html", soft_wrap=True)


def _render(out: Console, what: str, trained: Artifact, following: str) -> None:
    table = Table(title=f"{what} {trained.version}", title_justify="left")
    table.add_column("measure")
    table.add_column("value", justify="right")
    for name, value in trained.metadata["metrics"].items():
        table.add_row(name, f"{value:.4f}" if isinstance(value, float) else str(value))
    out.print(table)
    out.print(f"Next: {following}")
