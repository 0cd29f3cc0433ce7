"""`remora plan`: what a run would do, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from remora.cli.options import ConfigOption, JsonOption, SinceOption, emit
from remora.cli.terminal import line, styled
from remora.settings import load

if TYPE_CHECKING:
    from remora.workflow.plan import RunPlan
    from remora.workflow.step_plan import StepPlan

COLOURS = {"run": "green", "reuse": "cyan", "unknown": "yellow", "unchanged": "bright_black"}
SHOWN_REASONS = 4
INPUT = "input"
"""The kind of reasons that are another step's."""


def plan(config: ConfigOption = None, since: SinceOption = None, as_json: JsonOption = False) -> None:
    """Show which steps `remora run` would run, and why: which setting, input or code changed since the last run.

    Nothing is written and no cluster is started. `run` makes something, `reuse` takes up a result that was made before,
    `unchanged` keeps the current one, and `unknown` depends on what an earlier step makes. A step whose settings did
    not change is not run because another step's did: a change of a serving limit trains nothing.
    """
    from remora.workflow.plan import plan as planned

    found = planned(load(config), since_last=since is not None)
    emit(found.as_json(), as_json, lambda out: render(out, found))


def render(out: Console, found: RunPlan) -> None:
    """A row for each step, and the sum."""
    table = Table(title="Plan", title_justify="left")
    table.add_column("")
    table.add_column("step", no_wrap=True)
    table.add_column("why")
    for one in found.steps:
        table.add_row(styled(one.action, COLOURS[one.action]), one.step.name, _why(one))
    out.print(table)
    out.print(found.summary)


def _why(one: StepPlan) -> Text:
    own = [reason.text for reason in one.reasons if reason.kind != INPUT]
    said, more = own[:SHOWN_REASONS], len(own) - SHOWN_REASONS
    said += [f"and {more} more, see --json"] if more > 0 else []
    before = "; ".join(reason.text for reason in one.reasons if reason.kind == INPUT)
    return line("\n".join([*said, *([before] if before else [])]))
