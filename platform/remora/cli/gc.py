"""`remora gc`: what a home no longer needs, said or removed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from remora.cli.options import ConfigOption, JsonOption, emit
from remora.cli.terminal import line
from remora.settings import Settings, load

if TYPE_CHECKING:
    from remora.registry.home_garbage import GarbageReport


def gc(
    delete: Annotated[bool, typer.Option("--delete", help="Remove it; without this, it is only listed.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List, or remove, what `retention` of the settings no longer keeps: old versions of data, features, models and
    evaluations, bundles, staging folders and checkpoints of interrupted commands, old records of runs.

    Current versions, what aliases and replicas need, and what those were made from stay. So do promotions and rollouts.
    """
    collected = collect(load(config), delete=delete)
    value = {
        "deleted": delete,
        "bytes": sum(one.bytes for one in collected.garbage),
        "freed_bytes": collected.freed_bytes,
        "garbage": [
            {"kind": o.kind, "name": o.name, "path": o.path, "why": o.why, "bytes": o.bytes, "last_used_at": o.at}
            for o in collected.garbage
        ],
    }
    emit(value, as_json, lambda out: render(out, collected, deleted=delete))


def collect(settings: Settings, *, delete: bool) -> GarbageReport:
    """See :func:`remora.registry.home_garbage.collect`; folders that killed processes left in /tmp go with it."""
    from remora.core.private_folder import SHORT, remove_abandoned
    from remora.features.store import registered_versions
    from remora.registry import home_garbage

    if delete:
        remove_abandoned(SHORT)
        remove_abandoned()
    return home_garbage.collect(settings, in_use={"features": registered_versions(settings)}, delete=delete)


def render(out: Console, collected: GarbageReport, *, deleted: bool) -> None:
    """A row for each thing, and the sum."""
    if not collected.garbage:
        out.print("Nothing to remove.")
        return
    table = Table(title="Removed" if deleted else "Can be removed", title_justify="left")
    for column in ("kind", "name", "last used (UTC)", "why", "MB"):
        table.add_column(column, justify="right" if column == "MB" else "left")
    for one in collected.garbage:
        table.add_row(one.kind, line(one.name), f"{one.at:%Y-%m-%d %H:%M}", one.why, f"{one.bytes / 1e6:,.1f}")
    out.print(table)
    size, freed = sum(one.bytes for one in collected.garbage), collected.freed_bytes
    shared = f" ({(size - freed) / 1e6:,.1f} MB are shared with versions that stay)" if size != freed else ""
    freed_text = f"{freed / 1e6:,.1f} MB" + (" freed" if deleted else " would be freed") + f"{shared}."
    out.print(freed_text if deleted else f"{freed_text} Remove it: remora gc --delete")
