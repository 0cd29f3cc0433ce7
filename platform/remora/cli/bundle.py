"""`remora bundle`: what can be served, and what is."""

from __future__ import annotations

import getpass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markdown import Markdown
from rich.markup import escape
from rich.table import Table

from remora.cli.options import ConfigOption, JsonOption, emit
from remora.settings import Settings, activate, load

if TYPE_CHECKING:
    from collections.abc import Sequence

    from remora.registry.bundle import Bundle
    from remora.registry.bundles import Listed
    from remora.registry.promotions import Promotion

app = typer.Typer(
    no_args_is_help=True,
    help="""Releases: immutable sets of models, index, item features and settings that serve together.

    A bundle's id is the hash of its content, so the same content has the same id and a changed file is noticed.
    Aliases point at bundles: [bold]production[/bold] serves, [bold]candidate[/bold] and [bold]shadow[/bold] are tried.
    To roll back, promote the bundle that was there before; [bold]bundle history[/bold] names it.""",
)

NameArgument = Annotated[str, typer.Argument(metavar="BUNDLE", help="A bundle's id, or an alias.")]


class AliasChoice(StrEnum):
    """What may point at a bundle."""

    production = "production"
    candidate = "candidate"
    shadow = "shadow"


@app.command()
def build(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Make a bundle of the current models, index and item features, with lineage, metrics and a model card."""
    from remora.training.bundling import build as make
    from remora.wiring.cluster import connect

    settings = load(config)
    activate(settings)
    connect(settings)
    built = make(settings)
    emit(_facts(built), as_json, lambda out: _render_built(out, built))


@app.command("list")
def list_bundles(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Every bundle of the home, oldest first, and what its aliases are."""
    from remora.registry.bundles import Bundles

    listed = Bundles(load(config)).list()
    value = {
        "bundles": [
            {"id": b.id, "made_at": b.made_at, "aliases": b.aliases, "surfaces": b.surfaces, "bytes": b.bytes}
            for b in listed
        ]
    }
    emit(value, as_json, lambda out: _render_list(out, listed))


@app.command()
def show(name: NameArgument = "production", config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """A bundle's model card and files, after every file's hash was checked."""
    from remora.registry.bundles import Bundles

    bundle = Bundles(load(config)).open(name)
    emit(_facts(bundle), as_json, lambda out: _render_bundle(out, bundle))


@app.command()
def promote(
    name: NameArgument,
    alias: Annotated[AliasChoice, typer.Option(help="What shall point at it.")] = AliasChoice.production,
    why: Annotated[str, typer.Option(help="For the history.")] = "",
    by: Annotated[str, typer.Option(help="For the history; default: who is logged in.")] = "",
    force: Annotated[
        bool, typer.Option("--force", help="Into production whatever the gates say; needs --why, which is kept.")
    ] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make an alias point at a bundle, after every file's hash was checked.

    Into production only what passes its gates comes; they are run where no report holds (see `remora gate`).
    """
    by = by or getpass.getuser()
    settings = load(config)
    if alias is AliasChoice.production:
        done = _into_production(settings, name, by, why, force=force)
    else:
        from remora.registry.bundles import Bundles

        done = Bundles(settings).promote(name, alias.value, by=by, why=why)
    emit(done.model_dump(mode="json"), as_json, lambda out: _render_promotion(out, done))


def _into_production(settings: Settings, name: str, by: str, why: str, *, force: bool) -> Promotion:
    from remora.rollout.gates.gated import look_up
    from remora.rollout.gates.promotion import promote as through_the_gates

    if not force and look_up(settings, name) is None:
        from remora.wiring.cluster import connect

        activate(settings)
        connect(settings)
    return through_the_gates(settings, name, by=by, why=why, force=force)


@app.command()
def history(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Who moved which alias, when and why."""
    from remora.registry.bundles import Bundles

    moved = Bundles(load(config)).history()
    emit({"promotions": [m.model_dump(mode="json") for m in moved]}, as_json, lambda out: _render_history(out, moved))


def _facts(bundle: Bundle) -> dict[str, object]:
    lineage, metrics = bundle.read_json("lineage.json"), bundle.read_json("metrics.json")
    return {
        "id": bundle.id,
        "folder": bundle.at(),
        "lineage": lineage,
        "metrics": metrics,
    } | bundle.manifest.model_dump(mode="json")


def _render_built(out: Console, built: Bundle) -> None:
    size = sum(entry.bytes for entry in built.manifest.files.values())
    out.print(f"Bundle {built.id}: {len(built.manifest.files)} files, {size / 1e6:,.1f} MB", highlight=False)
    out.print(f"Next: remora bundle promote {built.id}", highlight=False)


def _render_list(out: Console, listed: Sequence[Listed]) -> None:
    table = Table(title="Bundles", title_justify="left")
    for column in ("id", "made at (UTC)", "aliases", "surfaces", "MB"):
        table.add_column(column, justify="right" if column == "MB" else "left", no_wrap=column == "id")
    for b in listed:
        made, size = f"{b.made_at:%Y-%m-%d %H:%M}", f"{b.bytes / 1e6:,.1f}"
        table.add_row(b.id, made, ", ".join(b.aliases), ", ".join(b.surfaces), size)
    out.print(table if listed else "There is no bundle yet. Run `remora bundle build` first.")


def _render_bundle(out: Console, bundle: Bundle) -> None:
    out.print(Markdown(bundle.read_bytes("card.md").decode()))
    table = Table(title=f"Bundle {bundle.id}, verified", title_justify="left")
    table.add_column("file")
    table.add_column("bytes", justify="right")
    table.add_column("SHA-256")
    for path, entry in bundle.manifest.files.items():
        table.add_row(path, f"{entry.bytes:,}", entry.sha256[:16] + "…")
    out.print(table)


def _render_promotion(out: Console, done: Promotion) -> None:
    before = f", before: {done.previous}" if done.previous else ""
    out.print(f"{done.alias} is {done.bundle}{before}", highlight=False)


def _render_history(out: Console, moved: Sequence[Promotion]) -> None:
    table = Table(title="Promotions", title_justify="left")
    for column in ("when (UTC)", "alias", "bundle", "before", "by", "why"):
        table.add_column(column)
    for m in moved:
        why = escape(m.why) if m.done else f"{escape(m.why)} [red](was cut off)[/red]"
        table.add_row(f"{m.at:%Y-%m-%d %H:%M:%S}", m.alias, m.bundle, m.previous or "–", escape(m.by), why)
    out.print(table if moved else "Nothing was promoted yet.")
