"""`remora train`: the models that find candidates, and those that order them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from remora.cli.features import render_join_report
from remora.cli.options import ConfigOption, JsonOption, emit
from remora.core.redaction import redacted
from remora.settings import activate, load

if TYPE_CHECKING:
    from remora.core.artifacts import Artifact
    from remora.training.merge import MergeReport

app = typer.Typer(
    no_args_is_help=True,
    help="""Models, trained on Ray Train and tracked in MLflow.

    [bold]retrieval[/bold] and [bold]models[/bold] learn from the first part of time, [bold]ranking[/bold] from the
    candidates that retrieval gives in the part after it; the rest is for validation and the test (section
    [bold]split[/bold] of the settings).
    [bold]merge[/bold] chooses the weights of sources on the validation part.

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
        from remora.tuning.retrieval import tuned as best_of

        settings = best_of(settings, tuned)
    connect(settings)
    trained = train(settings)
    emit(trained.metadata, as_json, lambda out: _render(out, "Retrieval", trained, "remora train ranking"))


@app.command()
def models(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Train those models of `retrieval.models` that are trained, as `sequential` and `matrix_factorization`.

    Reads the lake. Each is kept by itself: a change of one trains no other again. Other models are learned of events
    whenever a bundle is built, and without one to train there is nothing to do.
    """
    from remora.training.retrieval_models import train
    from remora.wiring.cluster import connect

    settings = load(config)
    activate(settings)
    connect(settings)
    trained = train(settings)
    emit(trained.metadata, as_json, lambda out: _render_models(out, trained))


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
        from remora.tuning.ranking import tuned as best_of

        settings = best_of(settings, tuned)
    connect(settings)
    trained = train(settings)
    emit(trained.metadata, as_json, lambda out: _render_ranking(out, trained))


def _render_models(out: Console, trained: Artifact) -> None:
    table = Table("model", "version", "epochs", "best validation", title="Models", title_justify="left")
    for name, version in trained.metadata["trained"].items():
        metrics = trained.metadata["metrics"][name]
        best = f"{metrics['best']:.4f}" if "best" in metrics else ""
        table.add_row(name, version, str(metrics.get("epochs", "")), best)
    out.print(table if trained.metadata["trained"] else "No model of retrieval.models is to be trained.")
    out.print("Next: remora train ranking")


@app.command()
def merge(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Choose how much each source counts when the candidates of a surface are merged, on the validation window.

    A source that adds nothing that can be told from chance gets weight 0: it stands behind all others, and only a
    ranker still reads what it says. New users and the others have weights of their own. `source_weights` of a surface
    sets them by hand.
    """
    from remora.training.merge import choose_weights, read_report
    from remora.wiring.cluster import connect

    settings = load(config)
    activate(settings)
    connect(settings)
    chosen = choose_weights(settings)
    found = read_report(chosen)
    emit(found.model_dump(mode="json"), as_json, lambda out: _render_merge(out, found, chosen))


def _render_merge(out: Console, found: MergeReport, chosen: Artifact) -> None:
    for surface, one in found.surfaces.items():
        if one.without:
            out.print(f"{surface}: no weights are chosen, for {one.without}")
        for segment, weighed in one.segments.items():
            first, last = weighed.cutoffs
            title = f"{surface}, {segment.replace('_', ' ')}: {weighed.queries:,} queries of {weighed.users:,} users"
            table = Table(title=title, title_justify="left")
            for column in ("merge", "weight", f"NDCG@{first}", f"recall@{last}"):
                table.add_column(column, justify="left" if column == "merge" else "right")
            rows = {"chosen": weighed.merged, "all alike": weighed.alike, **weighed.alone}
            for name, quality in rows.items():
                if quality is not None:
                    weight = weighed.weights.get(name)
                    numbers = (f"{quality.ndcg:.4f}", f"{quality.recall:.4f}")
                    table.add_row(name, "" if weight is None else f"{weight:g}", *numbers)
            out.print(table)
    out.print(f"Weights {chosen.version}. Next: remora evaluate")


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
