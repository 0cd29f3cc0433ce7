"""`remora evaluate`: how good is the surface, for whom, and what does each stage add?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from remora.cli.options import ConfigOption, JsonOption, emit
from remora.contracts.home import storage_errors
from remora.settings import activate, load

if TYPE_CHECKING:
    from remora.contracts.artifacts import Artifact
    from remora.evaluation.report import EvaluationReport


def evaluate(
    config: ConfigOption = None,
    ablations: Annotated[
        bool, typer.Option("--ablations", help="Take away each source, feature group, model and rule, one at a time.")
    ] = False,
    markdown: Annotated[Path | None, typer.Option(help="Write the report to this file as Markdown, too.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Replay the held-out end of the data through the pipelines that serve, and judge the slates.

    One row each for popularity, co-visitation, retrieval alone and the whole surface; means with 95% intervals by
    bootstrap over users, differences on the same users, and the same for new users, heavy users and new items.
    With --ablations the rows are the surface without each of its parts; the ranker is trained again without each
    feature group. When nothing has changed, the result is reused.
    """
    from remora.training.ablations import ablate
    from remora.training.evaluation import evaluate as judge
    from remora.training.evaluation import read_report
    from remora.wiring.cluster import connect

    settings = load(config)
    activate(settings)
    connect(settings)
    made = ablate(settings) if ablations else judge(settings)
    found = read_report(made)
    if markdown is not None:
        from remora.evaluation.rendering import markdown as drawn

        with storage_errors(str(markdown)):
            markdown.write_text(drawn(found))
    emit(found.model_dump(mode="json"), as_json, lambda out: render(out, found, made))


def render(out: Console, found: EvaluationReport, made: Artifact) -> None:
    """Draw a report for people."""
    from remora.evaluation.rendering import summary, tables

    for table in tables(found):
        out.print(table)
    out.print(summary(found))
    out.print(f"Evaluation {made.version}. Next: remora bundle build")
