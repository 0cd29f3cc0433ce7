"""`remora gate`: is a bundle fit for production?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from remora.cli.options import ConfigOption, JsonOption, emit
from remora.cli.terminal import styled
from remora.settings import Settings, activate, load

if TYPE_CHECKING:
    from remora.release.gates.report import GateReport
    from remora.release.gates.verdict import GateVerdict


def gate(
    bundle: Annotated[str, typer.Argument(metavar="BUNDLE", help="A bundle's id, or an alias.")] = "candidate",
    against: Annotated[str, typer.Option(help="What it is compared with: an id, or an alias.")] = "production",
    again: Annotated[
        bool, typer.Option("--again", help="Measure every gate again, though a report of the same data holds.")
    ] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure a bundle beside production, and say of each gate whether it passes and by how much not.

    Does it load in a process of its own, are the features that serve those that it was made of, are its slates whole,
    does its index find its items, is its home feed not worse on the freshest test data, does it cover the catalogue, do
    its probabilities mean what they say, is it quick and small enough. Bounds are the section `gates` of the settings.
    Exit code 1 when a gate fails. The same gates on the same data reuse the report; a failure of latency,
    memory or load time, in which the machine's other work has a part, is measured again. --again measures everything.
    """
    from remora.release.gates.run import cached_report, run_gates
    from remora.wiring.cluster import connect

    settings = load(config)
    activate(settings)
    found = None if again else cached_report(settings, bundle, against)
    reused = found is not None
    if found is None:
        connect(settings)
        found = run_gates(settings, bundle, against, again=again)
    report = found
    emit(report.model_dump(mode="json"), as_json, lambda out: render(out, report, reused=reused))
    if not report.passed:
        raise typer.Exit(1)


def ready(settings: Settings, bundle: str, *, force: bool) -> None:
    """Be connected to a cluster where the gates are about to be run."""
    from remora.release.gates.run import cached_report
    from remora.wiring.cluster import connect

    if not force and cached_report(settings, bundle) is None:
        activate(settings)
        connect(settings)


def render(out: Console, found: GateReport, *, reused: bool = False) -> None:
    """Draw a report for people; ``reused``: it was not measured now."""
    beside = f"beside {found.production}" if found.production else "by absolute bounds"
    table = Table(title=f"Gates of {found.candidate}, {beside}", title_justify="left")
    for name in ("gate", "measured", "bound", "", "by how much"):
        table.add_column(name, justify="right" if name in ("measured", "bound") else "left", no_wrap=name == "gate")
    for verdict in found.verdicts:
        table.add_row(verdict.gate, *_numbers(verdict), _how(verdict.passed), verdict.sentence)
    for name, why in found.not_run.items():
        table.add_row(name, "", "", "not run", why)
    out.print(table)
    for remark in found.remarks:
        out.print(remark)
    done = "It passes." if found.passed else "It does not pass."
    out.print(f"{done} {found.seconds:.0f} s, {found.created_at:%Y-%m-%d %H:%M} UTC, lake {found.lake}")
    if reused:
        out.print(f"Nothing that it depends on has changed since. Measure again: remora gate {found.candidate} --again")
    if found.momentary:
        said = " and ".join(found.momentary)
        out.print(f"What else the machine does has a part in {said}: `remora gate {found.candidate}` measures again.")
    if found.passed:
        out.print(f"Next: remora bundle promote {found.candidate}")


def _numbers(verdict: GateVerdict) -> tuple[str, str]:
    from remora.release.gates.verdict import number

    return tuple("–" if value is None else number(value) for value in (verdict.measured, verdict.bound))  # type: ignore[return-value]


def _how(passed: bool) -> Text:
    return styled("passed", "green") if passed else styled("failed", "red")
