"""`remora why`: what each stage says of one item for one user."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from remora.cli.options import ConfigOption, JsonOption, emit
from remora.settings import load

if TYPE_CHECKING:
    from remora.serving.why import Why


def why(
    user: Annotated[str, typer.Argument(help="An id as the data has it.")],
    item: Annotated[str, typer.Argument(help="An id as the data has it.")],
    surface: Annotated[str, typer.Option(help="home_feed or similar_items.")] = "home_feed",
    bundle: Annotated[str, typer.Option(help="Alias or id of the bundle.")] = "production",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say why an item is shown to a user, or why it is not.

    Takes the request through the bundle's stages: which sources found the item, which rule removed it, or which place
    it reached, what the ranker foretells of it, and what each feature adds to that (TreeSHAP). Needs no server.
    """
    from remora.serving.from_bundle import FromBundle
    from remora.serving.why import why as asked

    loader = FromBundle.named(load(config), bundle)
    release = loader.release()
    found = asked(release, loader.users(release), user, item, surface)
    emit(found.model_dump(), as_json, lambda out: render(out, found))


def render(out: Console, found: Why) -> None:
    """Draw it for people."""
    out.print(f"{found.item} {found.title or ''} for {found.user}, bundle {found.bundle}", highlight=False)
    for source in found.sources:
        out.print(f"  found by {source.source}: rank {source.rank}, score {source.score:.4g}", highlight=False)
    if found.removed_by == "retrieval":
        out.print(f"  [yellow]no source found it[/yellow] among {found.candidates} candidates", highlight=False)
    elif found.removed_by is not None:
        out.print(f"  [yellow]removed by {found.removed_by}[/yellow]", highlight=False)
    else:
        out.print(f"  place {found.place} of {found.candidates}, value {found.value:.4g}", highlight=False)
    for one in found.foretold:
        title = f"{one.objective}: {one.prediction:.5f} x weight {one.weight:g}"
        table = Table(title=title, title_justify="left")
        for column in ("feature", "value", "adds to the margin"):
            table.add_column(column, justify="left" if column == "feature" else "right")
        for part in one.parts:
            table.add_row(part.feature, _shown(part.value), f"{part.adds:+.4f}")
        if one.base is not None:
            table.add_row("all others", "", f"{one.others:+.4f}")
            table.add_row("every item", "", f"{one.base:+.4f}")
            out.print(table)
        else:
            out.print(title, highlight=False)


def _shown(value: float | str | None) -> str:
    if value is None:
        return "missing"
    return value if isinstance(value, str) else f"{value:.4g}"
