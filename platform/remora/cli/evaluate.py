"""`remora evaluate`: how good is the surface, for whom, and what does each stage add?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from remora.cli.options import ConfigOption, JsonOption, emit
from remora.core.home import storage_errors
from remora.settings import activate, load

if TYPE_CHECKING:
    from remora.core.artifacts import Artifact
    from remora.workflow.evaluation import Evaluation


def evaluate(
    config: ConfigOption = None,
    ablations: Annotated[
        bool, typer.Option("--ablations", help="Take away each source, feature group, model and rule, one at a time.")
    ] = False,
    surface: Annotated[
        str | None, typer.Option(help="Show the report of this surface. Default: of the one that the ranker orders.")
    ] = None,
    markdown: Annotated[Path | None, typer.Option(help="Write the report to this file as Markdown, too.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Replay the held-out end of the data through the pipelines that serve, and judge the slates of every surface.

    One row each for popularity, co-visitation, retrieval alone and the whole surface; means with 95% intervals by
    bootstrap over users, differences on the same users, and the same for new users, heavy users and new items.
    With --ablations the rows are the surface without each of its parts; the ranker is trained again without each
    feature group. When nothing has changed, the result is reused.
    """
    from remora.wiring.cluster import connect
    from remora.workflow.ablations import ablate
    from remora.workflow.evaluation import evaluate as judge
    from remora.workflow.evaluation import read_evaluation

    settings = load(config)
    activate(settings)
    connect(settings)
    made = ablate(settings) if ablations else judge(settings)
    evaluation = read_evaluation(made)
    found = evaluation.of(surface or evaluation.ranked_surface)
    if markdown is not None:
        from remora.evaluation.rendering import markdown as drawn

        with storage_errors(str(markdown)):
            markdown.write_text(drawn(found))
    emit(found.model_dump(mode="json"), as_json, lambda out: render(out, evaluation, made, surface))


def render(out: Console, evaluation: Evaluation, made: Artifact, surface: str | None = None) -> None:
    """Draw the report of a surface for people; without one that of the ranked surface, and the others in short."""
    from remora.evaluation.rendering import others, summary, tables

    shown = surface or evaluation.ranked_surface
    for table in tables(evaluation.of(shown)):
        out.print(table)
    out.print(f"{shown}: {summary(evaluation.of(shown))}")
    if surface is None:
        for table in others({name: one for name, one in evaluation.surfaces.items() if name != shown}):
            out.print(table)
    out.print(f"Evaluation {made.version}. Next: remora bundle build")
