"""`remora recommend`: slates, asked of the running endpoint or computed for all users."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from remora.cli.options import ConfigOption, JsonOption, console, emit
from remora.cli.terminal import line, styled
from remora.core.printable import one_line
from remora.settings import Settings, load

if TYPE_CHECKING:
    from remora.surfaces.responses import RecommendResponse


def recommend(
    user: Annotated[str | None, typer.Argument(help="Whom to recommend to; an id as the data has it.")] = None,
    n: Annotated[int, typer.Option("-n", min=1, help="Number of items.")] = 10,
    surface: Annotated[str, typer.Option(help="home_feed or similar_items.")] = "home_feed",
    item: Annotated[str | None, typer.Option(help="The item to find similar ones for.")] = None,
    all_users: Annotated[bool, typer.Option("--all", help="All users at once, on Ray Data, into --out.")] = False,
    out: Annotated[str | None, typer.Option(help="Directory or s3:// URL for --all.")] = None,
    bundle: Annotated[str, typer.Option(help="Alias or id of the bundle, for --all.")] = "production",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Recommend to one user through the running endpoint, or to all of them into Parquet.

    One user: `remora recommend 196 -n 10` asks the server that `remora serve start` started.
    All users: `remora recommend --all --out DIR` needs no server; the slates are those the server would give.
    """
    if all_users == (user is not None):
        raise typer.BadParameter("give a USER, or --all with --out DIR")
    if all_users and out is None:
        raise typer.BadParameter("--all needs --out DIR", param_hint="--out")
    settings = load(config)
    if all_users:
        _all(settings, str(out), bundle=bundle, surface=surface, n=n, as_json=as_json)
    else:
        _one(settings, str(user), n=n, surface=surface, item=item, as_json=as_json)


def _one(settings: Settings, user: str, *, n: int, surface: str, item: str | None, as_json: bool) -> None:
    from remora.serving.client import ask
    from remora.serving.deploy import url_of
    from remora.serving.schemas import recommend_request, surface_and_context

    request = recommend_request(user_id=user, n=n, **surface_and_context(surface, item or None))
    slate = ask(url_of(settings), request)
    emit(slate.model_dump(), as_json, lambda out: render(out, user, slate))


def render(out: Console, user: str, slate: RecommendResponse) -> None:
    """Draw one slate: the items, what was skipped and why, and where the time went."""
    table = Table(title=f"{slate.surface} for {one_line(user)}", title_justify="left")
    for column in ("", "item", "title", "score", "sources"):
        table.add_column(column, justify="right" if column in {"", "score"} else "left", overflow="fold")
    for item in slate.items:
        score = "–" if item.score is None else f"{item.score:.4f}"
        item_id, title = one_line(item.item_id), one_line(item.title or "")
        table.add_row(str(item.position), item_id, title, score, ", ".join(item.sources))
    out.print(table)
    for reason in slate.degraded:
        out.print(line(styled("degraded", "yellow"), f" {reason}"))
    spent = ", ".join(f"{stage} {ms:.1f}" for stage, ms in slate.timings_ms.items())
    out.print(f"bundle {slate.bundle} ({slate.variant}); ms: {spent}", style="dim")


def _all(settings: Settings, out: str, *, bundle: str, surface: str, n: int, as_json: bool) -> None:
    from remora.serving.all_users import recommend_all_users

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("users", total=None)
        slates = recommend_all_users(
            settings,
            out,
            bundle=bundle,
            surface=surface,
            n=n,
            expected=lambda users: progress.update(bar, total=users),
            advanced=lambda users: progress.advance(bar, users),
        )
    value: dict[str, Any] = {"path": slates.at("slates"), **slates.metadata}
    value.pop("files")
    emit(
        value,
        as_json,
        lambda drawn: drawn.print(
            f"{value['users']:,} slates of {surface} (bundle {value['bundle']}) in {value['path']}"
        ),
    )
