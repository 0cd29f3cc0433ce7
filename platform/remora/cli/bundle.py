"""`remora bundle`: what can be served, and what is."""

from __future__ import annotations

import getpass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markdown import Markdown
from rich.table import Table
from rich.text import Text

from remora.cli import bundle_aliases, bundle_storage, gate
from remora.cli.options import ConfigOption, JsonOption, NameArgument, emit
from remora.cli.terminal import line, styled
from remora.core.errors import RemoraError
from remora.core.home import storage_errors
from remora.core.printable import one_line, printable
from remora.settings import Settings, activate, load

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from remora.registry.bundle import Bundle
    from remora.registry.bundles import Bundles, BundleSummary
    from remora.registry.diff import ChangedFact
    from remora.registry.promotions import DamagedRecord, Promotion

app = typer.Typer(
    no_args_is_help=True,
    help="""Releases: immutable sets of models, index, item features and settings that serve together.

    A bundle's id is the hash of its content, so the same content has the same id and a changed file is noticed.
    Aliases point at bundles: [bold]production[/bold] serves, [bold]candidate[/bold] and [bold]shadow[/bold] are tried.
    To go back to what was in production before: [bold]remora rollback[/bold].""",
)
LONG = 2_000
"""Characters of a value that `diff` shows."""

app.command("gc")(bundle_storage.gc)
app.command("export")(bundle_storage.export)
app.command("import")(bundle_storage.import_bundle)
app.command("keygen")(bundle_storage.keygen)
app.command("sign")(bundle_storage.sign)
app.command("restore-aliases")(bundle_aliases.restore_aliases)


class AliasChoice(StrEnum):
    """What may point at a bundle."""

    production = "production"
    candidate = "candidate"
    shadow = "shadow"


@app.command()
def build(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Make a bundle of the current models, index and item features, with lineage, metrics and a model card."""
    from remora.wiring.cluster import connect
    from remora.workflow.build_bundle import build as make

    settings = load(config)
    activate(settings)
    connect(settings)
    built = make(settings)
    emit(_facts(built), as_json, lambda out: _render_built(out, built))


@app.command("list")
def list_bundles(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Every bundle of the home, oldest first, and what its aliases are."""
    from remora.registry.bundles import Bundles

    bundles = Bundles(load(config))
    listed, moves, problems = bundles.list(), bundles.unrecorded_moves(), bundles.problems()
    value = {
        "bundles": [
            {"id": b.id, "created_at": b.created_at, "aliases": b.aliases, "surfaces": b.surfaces, "bytes": b.bytes}
            | {"signed": b.signed, "problem": b.problem or None}
            for b in listed
        ],
        "unrecorded_moves": [move.model_dump() for move in moves],
        "problems": problems,
    }

    def render(out: Console) -> None:
        _render_list(out, listed)
        for problem in set(problems) - {b.problem for b in listed}:
            out.print(line(styled("problem", "red"), f": {problem}"))
        bundle_aliases.render_unrecorded(out, moves)

    emit(value, as_json, render)


@app.command()
def show(
    name: NameArgument = "production",
    html: Annotated[Path | None, typer.Option("--html", help="Write the model card as a page to this file.")] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """A bundle's model card and files, after every file's hash was checked."""
    from remora.registry.bundles import Bundles
    from remora.registry.model_card import page

    bundle = Bundles(load(config)).inspect(name)
    if html is not None:
        drawn = page(bundle.lineage(), bundle.metrics(), bundle.manifest.surfaces, id=bundle.id)
        with storage_errors(str(html)):
            html.write_text(drawn, encoding="utf-8")
    emit(_facts(bundle), as_json, lambda out: _render_bundle(out, bundle))


@app.command()
def verify(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[BUNDLE]...", help="Ids or aliases; default: every bundle.")
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check every file's hash and the signature, as opening for serving does; exit code 1 when one would be refused."""
    from remora.registry.bundles import Bundles

    bundles = Bundles(load(config))
    found = {name: _refusal(bundles, name) for name in names or [b.id for b in bundles.list()]}
    value = {"bundles": [{"name": name, "ok": why is None, "problem": why} for name, why in found.items()]}
    emit(value, as_json, lambda out: _render_verified(out, found))
    if any(found.values()):
        raise typer.Exit(1)


@app.command()
def diff(
    one: Annotated[str, typer.Argument(metavar="BEFORE", help="A bundle's id, or an alias.")],
    other: Annotated[str, typer.Argument(metavar="AFTER", help="A bundle's id, or an alias.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """What changed from one bundle to another: data, features, training, code, settings, metrics, files."""
    from remora.registry.bundles import Bundles
    from remora.registry.diff import difference

    bundles = Bundles(load(config))
    before, after = bundles.inspect(one), bundles.inspect(other)
    changed = difference(before, after)
    listed = [{"part": c.part, "name": c.name, "before": c.before, "after": c.after, "by": c.by} for c in changed]
    value = {"before": before.id, "after": after.id, "changed": listed}
    emit(value, as_json, lambda out: _render_difference(out, before.id, after.id, changed))


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
    """Make an alias point at a bundle, after its signature and every file's hash were checked. Servers follow it.

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
    from remora.release.gates.promotion import promote as through_the_gates

    gate.ready(settings, name, force=force)
    return through_the_gates(settings, name, by=by, why=why, force=force)


@app.command()
def history(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Who moved which alias, when and why; --json has the evidence too."""
    from remora.registry.bundles import Bundles
    from remora.registry.promotions import DamagedRecord

    bundles = Bundles(load(config))
    moved, unrecorded = bundles.records(), bundles.unrecorded_moves()
    damaged = [m for m in moved if isinstance(m, DamagedRecord)]
    value = {
        "promotions": [m.model_dump(mode="json") for m in moved if not isinstance(m, DamagedRecord)],
        "damaged": [{"path": m.path, "at": m.at, "alias": m.alias, "problem": m.problem} for m in damaged],
        "unrecorded_moves": [move.model_dump() for move in unrecorded],
    }

    def render(out: Console) -> None:
        _render_history(out, moved)
        bundle_aliases.render_unrecorded(out, unrecorded)

    emit(value, as_json, render)


def _facts(bundle: Bundle) -> dict[str, object]:
    from remora.registry.documents import LINEAGE, METRICS

    lineage, metrics = bundle.read_json(LINEAGE), bundle.read_json(METRICS)
    return {
        "id": bundle.id,
        "folder": bundle.at(),
        "lineage": lineage,
        "metrics": metrics,
    } | bundle.manifest.model_dump(mode="json")


def _render_built(out: Console, built: Bundle) -> None:
    size = sum(entry.bytes for entry in built.manifest.files.values())
    out.print(f"Bundle {built.id}: {len(built.manifest.files)} files, {size / 1e6:,.1f} MB")
    out.print(f"Next: remora bundle promote {built.id}")


def _render_list(out: Console, listed: Sequence[BundleSummary]) -> None:
    table = Table(title="Bundles", title_justify="left")
    for column in ("id", "created (UTC)", "aliases", "surfaces", "MB", "signed"):
        table.add_column(column, justify="right" if column == "MB" else "left", no_wrap=column == "id")
    for b in listed:
        made, size = "–", "–"
        if b.created_at is not None:
            made, size = f"{b.created_at:%Y-%m-%d %H:%M}", f"{b.bytes / 1e6:,.1f}"
        why = "refused" if b.created_at else "gone"
        state = styled(why, "red") if b.problem else Text("yes" if b.signed else "no")
        table.add_row(b.id, made, ", ".join(b.aliases), one_line(", ".join(b.surfaces)), size, state)
    out.print(table if listed else "There is no bundle yet. Run `remora bundle build` first.")
    for b in listed:
        if b.problem:
            out.print(line(styled(b.id, "red"), f": {b.problem}"))


def _render_bundle(out: Console, bundle: Bundle) -> None:
    from remora.registry.documents import CARD

    out.print(Markdown(bundle.read_bytes(CARD).decode(), hyperlinks=False))
    table = Table(title=f"Bundle {bundle.id}, verified", title_justify="left")
    table.add_column("file")
    table.add_column("bytes", justify="right")
    table.add_column("SHA-256")
    for path, entry in bundle.manifest.files.items():
        table.add_row(one_line(path), f"{entry.bytes:,}", entry.sha256[:16] + "…")
    out.print(table)


def _refusal(bundles: Bundles, name: str) -> str | None:
    try:
        bundles.open(name)
    except RemoraError as error:
        return str(error)
    return None


def _render_verified(out: Console, found: Mapping[str, str | None]) -> None:
    for name, why in found.items():
        out.print(line(f"{name}: ", "as its manifest says" if why is None else styled(why, "red")))
    if not found:
        out.print("There is no bundle yet. Run `remora bundle build` first.")


def _render_difference(out: Console, before: str, after: str, changed: Sequence[ChangedFact]) -> None:
    table = Table(title=f"From {before} to {after}", title_justify="left")
    for column in ("part", "what", "before", "after", "change"):
        table.add_column(column, justify="right" if column == "change" else "left", overflow="fold")
    for one in changed:
        by = "" if one.by is None else f"{one.by:+,.6g}"
        table.add_row(one.part, one_line(one.name), _shown(one.before), _shown(one.after), by)
    out.print(table if changed else f"{before} and {after} hold the same.")


def _shown(value: object) -> str:
    return "–" if value is None else one_line(f"{value:.6g}" if isinstance(value, float) else str(value), LONG)


def _render_promotion(out: Console, done: Promotion) -> None:
    before = f", before: {done.previous}" if done.previous else ""
    out.print(f"{done.alias} is {done.bundle}{before}")


def _render_history(out: Console, moved: Sequence[Promotion | DamagedRecord]) -> None:
    from remora.registry.promotions import DamagedRecord

    table = Table(title="Promotions", title_justify="left")
    for column in ("when (UTC)", "what", "alias", "bundle", "before", "by", "why"):
        table.add_column(column)
    for m in moved:
        if isinstance(m, DamagedRecord):
            unread = line(styled("cannot be read", "red"), f": {m.path}: {m.problem}")
            table.add_row(f"{m.at:%Y-%m-%d %H:%M:%S}", "–", m.alias or "–", "–", "–", "–", unread)
            continue
        why = Text(printable(m.why)) if m.done else line(m.why, styled(" (was cut off)", "red"))
        table.add_row(f"{m.at:%Y-%m-%d %H:%M:%S}", m.kind, m.alias, m.bundle, m.previous or "–", one_line(m.by), why)
    out.print(table if moved else "Nothing was promoted yet.")
