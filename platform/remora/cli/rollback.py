"""`remora rollback`: production is again what it was before."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, Annotated

import typer

from remora.cli.options import ConfigOption, JsonOption, emit
from remora.settings import load

if TYPE_CHECKING:
    from rich.console import Console

    from remora.registry.promotions import Promotion


def rollback(
    to: Annotated[str | None, typer.Option(help="A bundle's id, or an alias; default: what was before.")] = None,
    why: Annotated[str, typer.Option(help="For the history.")] = "",
    by: Annotated[str, typer.Option(help="For the history; default: who is logged in.")] = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make production what it was before, at once, and stop what is being tried (canary and shadow).

    The bundle that is left is not read, so this works when it is damaged. Run again, it goes further back.
    """
    from remora.registry.bundles import Bundles

    done = Bundles(load(config)).rollback(by=by or getpass.getuser(), why=why, to=to)
    emit(done.model_dump(mode="json"), as_json, lambda out: _render(out, done))


def _render(out: Console, done: Promotion) -> None:
    out.print(f"production was {done.previous or 'not known'} and is {done.bundle}")
    out.print("Servers follow within seconds. If it was not enough, run it again to go further back.")
