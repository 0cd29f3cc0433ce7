"""`remora explain`: what each stage says of one item for one user."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from remora.cli.options import ConfigOption, JsonOption, emit
from remora.cli.terminal import line, styled
from remora.core.printable import one_line
from remora.settings import load

if TYPE_CHECKING:
    from remora.serving.explanation import Explanation, FoundBy


def explain(
    user: Annotated[str, typer.Argument(help="An id as the data has it.")],
    item: Annotated[str, typer.Argument(help="An id as the data has it.")],
    n: Annotated[int, typer.Option("-n", min=1, help="Number of items.")] = 10,
    surface: Annotated[str, typer.Option(help="A surface that needs no seed.")] = "home_feed",
    seed: Annotated[str | None, typer.Option(help="Ask about the items that are similar to this one.")] = None,
    context: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="Of the request's context; may be repeated.")
    ] = None,
    bundle: Annotated[str, typer.Option(help="Alias or id of the bundle.")] = "production",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say why an item is shown to a user, or why it is not.

    Takes the request through the bundle's stages: which sources found the item, which rule removed it, or which place
    it reached, what the ranker predicts of it, and what each feature adds to that (TreeSHAP). Needs no server;
    `GET /v1/explain/USER/ITEM` and `POST /v1/explain` of a running one say the same.
    """
    from remora.serving.bundle_loader import BundleLoader
    from remora.serving.explanation import explain as explained
    from remora.serving.loaded_bundle import LoadedBundle
    from remora.serving.requests import RequestContext, item_row, to_query
    from remora.serving.schemas import recommend_request, surface_and_context

    settings = load(config)
    loader = BundleLoader.named(settings, bundle)
    loaded = LoadedBundle.load(loader, loader.bundle)
    request = recommend_request(user_id=user, n=n, **surface_and_context(surface, seed, _told(context or [])))
    query = to_query(loaded, request, RequestContext("why"), settings.serving)
    found = explained(loaded, query, item_row(loaded, item))
    emit(found.model_dump(), as_json, lambda out: render(out, found))


def _told(context: list[str]) -> dict[str, str | bool | float]:
    """NAME=VALUE as a request would have it."""
    for one in context:
        if "=" not in one:
            raise typer.BadParameter(f"{one!r} has no '=': write --context NAME=VALUE.")
    return {name: value for name, _, value in (one.partition("=") for one in context)}


def render(out: Console, found: Explanation) -> None:
    """Draw it for people."""
    item, user = one_line(f"{found.item_id} {found.title or ''}"), one_line(found.user_id or "")
    out.print(f"{item} for {user}, bundle {found.bundle}")
    for source in found.sources:
        out.print(f"  found by {_who(source)}")
    for source in found.below_limit_in:
        out.print(f"  below the limit of {_who(source)}")
    out.print(line("  ", _verdict(found)))
    for reason in found.degraded:
        out.print(line("  ", styled("degraded", "yellow"), f": {reason}"))
    for one in found.predictions:
        title = f"{one.objective}: {one.prediction:.5f} x weight {one.weight:g}"
        table = Table(title=title, title_justify="left")
        for column in ("feature", "value", "adds to the margin"):
            table.add_column(column, justify="left" if column == "feature" else "right")
        for part in one.contributions:
            table.add_row(part.feature, _shown(part.value), f"{part.contribution:+.4f}")
        if one.base_value is not None:
            table.add_row("all others", "", f"{one.other_contributions:+.4f}")
            table.add_row("every item", "", f"{one.base_value:+.4f}")
            out.print(table)
        else:
            out.print(title)


def _who(source: FoundBy) -> str:
    return f"{source.source}: rank {source.rank}, score {_shown(source.score)}"


def _verdict(found: Explanation) -> Text:
    absent = styled("not shown", "yellow")
    if found.removed_by == "retrieval":
        return line(absent, f": no source found it; {found.candidates} candidates were ranked")
    if found.removed_by is not None:
        return line(absent, f": removed by {found.removed_by}")
    moved = (
        "" if found.rank == found.rank_before_reranking else f" ({found.rank_before_reranking} by score, then reranked)"
    )
    shown = styled("shown", "green") if found.shown else line(absent, f", as {found.n} are asked for")
    score = "unscored" if found.score is None else f"score {found.score:.4g}"
    return line(shown, f": rank {found.rank} of {found.candidates}{moved}, {score}")


def _shown(value: float | str | None) -> str:
    if value is None:
        return "missing"
    return one_line(value) if isinstance(value, str) else f"{value:.4g}"
