"""`remora tune`: which settings of a model are best, by trying them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from remora.cli.options import ConfigOption, JsonOption, emit
from remora.core.redaction import redacted
from remora.settings import activate, load

if TYPE_CHECKING:
    from remora.core.artifacts import Artifact
    from remora.settings import Settings

app = typer.Typer(
    no_args_is_help=True,
    help="""Searches over a model's settings by Ray Tune, within a budget of time.

    What is tried stands in section [bold]tuning[/bold] of the settings, or is what a ranking model proposes. The first
    trial is the settings as they are; poor trials are given up early (ASHA). Only validation data decides.""",
)


NameOption = Annotated[str, typer.Option(help="What the outcome is called; another of that name is replaced.")]
MinutesOption = Annotated[float | None, typer.Option(min=0.05, help="After which no trial continues.")]
TrialsOption = Annotated[int | None, typer.Option(min=1, help="Most trials.")]


@app.command()
def retrieval(
    config: ConfigOption = None,
    name: NameOption = "latest",
    minutes: MinutesOption = None,
    trials: TrialsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Search the two towers' settings; recall@100 among held-out users decides.

    Interrupted, the same command continues. When lake and settings have not changed, the result is reused. Afterwards
    `remora train retrieval --tuned NAME` trains with the best, and `best.yaml` of the outcome can be copied into your
    configuration.
    """
    from remora.tuning.retrieval import search

    settings = _budgeted(config, minutes, trials)
    found = search(settings, name)
    emit(found.read_json("report.json"), as_json, lambda out: _render(out, found, "remora train retrieval"))


@app.command()
def ranking(
    config: ConfigOption = None,
    model: Annotated[
        str | None, typer.Option(help="Which of ranking.models; default: the first.", show_default=False)
    ] = None,
    name: NameOption = "latest",
    minutes: MinutesOption = None,
    trials: TrialsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Search one ranking model's settings; NDCG@10 on the validation window decides.

    Each trial also says what scoring 500 candidates takes on one thread: the report shows which trials no other beats
    in both. The rows are made once, for all trials. Afterwards `remora train ranking --tuned NAME` trains with the
    best.
    """
    from remora.tuning.ranking import search

    settings = _budgeted(config, minutes, trials)
    found = search(settings, model, name)
    emit(found.read_json("report.json"), as_json, lambda out: _render(out, found, "remora train ranking"))


def _budgeted(config: Path | None, minutes: float | None, trials: int | None) -> Settings:
    """The settings with what the command says of time and trials, and a cluster to run them on."""
    from remora.wiring.cluster import connect

    settings = load(config)
    activate(settings)
    budget = {
        name: value for name, value in (("time_budget_minutes", minutes), ("max_trials", trials)) if value is not None
    }
    settings = settings.model_copy(update={"tuning": settings.tuning.model_copy(update=budget)})
    connect(settings)
    return settings


def _render(out: Console, found: Artifact, following: str) -> None:
    from remora.tuning.report import SearchReport, gained, header, rows

    report = found.read_document("report.json", SearchReport)
    table = Table(title=f"Search {report.name}", title_justify="left")
    for column in header(report):
        table.add_column(column)
    for row in rows(report):
        table.add_row(*row)
    out.print(table)
    out.print(gained(report))
    out.print(f"Report and plot: {redacted(found.home.url)}/{found.folder}/report.md", soft_wrap=True)
    out.print(f"Next: {following} --tuned {report.name}")
