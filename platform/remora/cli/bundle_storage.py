"""`remora bundle` gc, export, import, keygen, sign: keeping bundles, moving them between homes, vouching for them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from remora.cli.options import ConfigOption, JsonOption, NameArgument, emit
from remora.core.errors import SettingsError
from remora.settings import load

if TYPE_CHECKING:
    from remora.registry.garbage import BundleGarbage


def gc(
    keep: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="How many of the newest bundles, and of the last promoted, stay; default: retention.keep_bundles.",
        ),
    ] = None,
    delete: Annotated[bool, typer.Option("--delete", help="Remove it; without this, it is only said.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say, or remove, what nothing needs: old bundles, and what builds and imports that were cut off have left.

    A bundle stays that an alias means, or that replicas hold: production, the one before it, canary and shadow.
    `remora gc` does this and the same for everything else in the home.
    """
    from remora.registry.bundles import Bundles

    settings = load(config)
    keep = settings.retention.keep_bundles if keep is None else keep
    going = Bundles(settings).gc(keep=keep, delete=delete)
    found = [{"path": g.path, "complete": g.complete, "bytes": g.bytes, "written_at": g.at} for g in going]
    value = {"deleted": delete, "bytes": sum(g.bytes for g in going), "garbage": found}
    emit(value, as_json, lambda out: _render_garbage(out, going, delete))


def export(
    name: NameArgument,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="File; default: NAME-ID.tar here.")] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a bundle as one file for another home, with its signature; the same bundle is the same file."""
    from remora.registry.bundles import Bundles

    settings = load(config)
    bundles = Bundles(settings)
    bundle = bundles.read(name)
    file = out or Path(f"{settings.name}-{bundle.id}.tar")
    bundles.export(bundle.id, file)
    size = file.stat().st_size
    emit(
        {"id": bundle.id, "file": str(file), "bytes": size},
        as_json,
        lambda paper: paper.print(f"Bundle {bundle.id} is in {file}, {size / 1e6:,.1f} MB"),
    )


def import_bundle(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `remora bundle export` wrote.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take in a bundle from another home, once its content and its signature were checked; it serves no request yet."""
    from remora.registry.bundles import Bundles

    bundle = Bundles(load(config)).import_(file)
    value = {"id": bundle.id, "folder": bundle.at(), "bytes": bundle.manifest.bytes}
    emit(value, as_json, lambda out: _render_imported(out, bundle.id, bundle.manifest.bytes))


def keygen(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Where the private key goes; FILE.pub is the public one.")
    ],
    as_json: JsonOption = False,
) -> None:
    """Make a pair of keys to sign bundles with. Keep the private one where only releases are built."""
    from remora.registry.signature import PrivateKey

    file = file.absolute()
    key = PrivateKey.make(file).public
    emit({"key": key.id, "file": str(file), "trusted": key.line}, as_json, lambda out: _render_key(out, file, key.line))


def sign(
    name: NameArgument,
    key: Annotated[Path | None, typer.Option(help="PEM file; default: registry.signing_key of the settings.")] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Sign a bundle that was built without a key, or with another, after every file's hash was checked."""
    from remora.registry.bundles import Bundles
    from remora.registry.signature import PrivateKey

    settings = load(config)
    file = str(key or settings.registry.signing_key)
    if key is None and not settings.registry.signing_key:
        raise SettingsError("There is no key to sign with: pass --key FILE, or set registry.signing_key.")
    private = PrivateKey.read(file)
    bundle = Bundles(settings).sign(name, private)
    emit(
        {"id": bundle.id, "key": private.public.id},
        as_json,
        lambda out: out.print(f"Bundle {bundle.id} is signed by key {private.public.id}"),
    )


def _render_garbage(out: Console, going: Sequence[BundleGarbage], deleted: bool) -> None:
    if not going:
        out.print("Nothing to remove: every bundle is in use.")
        return
    table = Table(title="Removed" if deleted else "Not in use", title_justify="left")
    for column in ("what", "written at (UTC)", "MB"):
        table.add_column(column, justify="right" if column == "MB" else "left")
    for one in going:
        what = f"bundle {one.path}" if one.complete else f"left by a write that was cut off: {one.path}"
        table.add_row(what, f"{one.at:%Y-%m-%d %H:%M}", f"{one.bytes / 1e6:,.1f}")
    out.print(table)
    size = sum(one.bytes for one in going)
    out.print(f"{size / 1e6:,.1f} MB" + (" freed." if deleted else ". Remove it: remora bundle gc --delete"))


def _render_imported(out: Console, id: str, size: int) -> None:
    out.print(f"Bundle {id}: checked and taken in, {size / 1e6:,.1f} MB")
    out.print(f"Next: remora bundle promote {id}")


def _render_key(out: Console, file: Path, line: str) -> None:
    said = (
        f"The private key is in {file}, the public one in {file}.pub. In the settings:",
        f'registry:\n  signing_key: {file}\n  trusted_keys: ["{line}"]',
    )
    for text in said:
        out.print(text, soft_wrap=True)
