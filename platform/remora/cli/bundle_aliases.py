"""Aliases that were moved in MLflow without a promotion record: named where bundles are shown, and restored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console

from remora.cli.options import ConfigOption, JsonOption, emit
from remora.cli.terminal import line, styled
from remora.settings import load

if TYPE_CHECKING:
    from collections.abc import Sequence

    from remora.registry.unrecorded import UnrecordedMove


def restore_aliases(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Make MLflow's aliases mean again what the promotion records say; no request is affected.

    A damaged serving/traffic.json is written again: production as its record says, without canary and shadow.
    """
    from remora.registry.bundles import Bundles

    moves = Bundles(load(config)).restore_aliases()
    emit({"restored": [move.model_dump() for move in moves]}, as_json, lambda out: _render(out, moves))


def render_unrecorded(out: Console, moves: Sequence[UnrecordedMove]) -> None:
    """One warning per alias; nothing where MLflow and the records agree and all of them can be read."""
    for move in moves:
        out.print(line(styled(move.alias, "red"), f": {move.message}"))


def _render(out: Console, moves: Sequence[UnrecordedMove]) -> None:
    for move in moves:
        if move.damaged:
            render_unrecorded(out, [move])
            continue
        out.print(f"{move.alias} is {move.recorded or 'no bundle'} again, was {move.found or 'no bundle'} in MLflow")
    if not moves:
        out.print("MLflow's aliases are as the promotion records say.")
