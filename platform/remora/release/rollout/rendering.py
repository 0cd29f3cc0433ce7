"""A rollout drawn for people."""

from __future__ import annotations

from datetime import datetime

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from remora.release.rollout.readout import GuardrailReading, Rate, Readout
from remora.release.rollout.state import Rollout, Status

COLOURS = {
    Status.DONE: "green",
    Status.RUNNING: "cyan",
    Status.PAUSED: "yellow",
    Status.ROLLING_BACK: "red",
    Status.ROLLED_BACK: "red",
    Status.ABORTED: "yellow",
}


def line(rollout: Rollout, now: datetime) -> str:
    """One line for a log."""
    said = f"{rollout.status}, {rollout.stage_name}"
    readout = rollout.readout
    if readout is None or rollout.status.ended:
        return said
    seconds = f"{rollout.seconds(now):.0f} of {readout.duration:.0f} s"
    return f"{said}, {seconds}, {readout.requests:,} requests{_overlap(readout)}"


def drawn(rollout: Rollout, now: datetime) -> RenderableType:
    """All of it: where it stands, the guardrails, the journal."""
    parts: list[RenderableType] = [_head(rollout, now)]
    if rollout.readout is not None:
        parts += [_guardrails(rollout.readout), *_reported(rollout.readout)]
    return Group(*parts, _journal(rollout))


def render(out: Console, rollout: Rollout, now: datetime, *, controller_alive: bool) -> None:
    """:func:`drawn`, and whether anybody carries it out."""
    out.print(drawn(rollout, now))
    if not controller_alive and not rollout.status.ended:
        warning = Text("No controller carries it out now.", "yellow")
        out.print(warning.append(" Resume it with `remora rollout resume`.", "none"))


def _head(rollout: Rollout, now: datetime) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_row("rollout", rollout.id)
    table.add_row("bundle", f"{rollout.bundle}, against {rollout.production}")
    table.add_row("plan", Text("  ").join(_marked(rollout)))
    stands = Text(rollout.status, COLOURS[rollout.status]).append(f" at {rollout.stage_name}", "none")
    table.add_row("stands", stands)
    if rollout.readout is not None:
        table.add_row("time", f"{rollout.seconds(now):.0f} of {rollout.readout.duration:.0f} s")
        table.add_row("requests", f"{rollout.readout.requests:,} answered by the candidate in this step")
    share = rollout.step.share if rollout.step and not rollout.status.ended else None
    if share is not None:
        table.add_row("share", f"{share:.4g} of the users")
    return table


def _marked(rollout: Rollout) -> list[Text]:
    return [
        Text(f"→ {step}", "bold") if i == rollout.stage else Text(str(step)) for i, step in enumerate(rollout.steps)
    ]


def _guardrails(readout: Readout) -> Table:
    table = Table(title="Guardrails: rates, with bounds that hold at all looks", title_justify="left")
    for column in ("", "candidate", "production", "margin", ""):
        table.add_column(column)
    for found in readout.findings:
        production = _rate(found.production) if found.production else "–"
        table.add_row(found.name, _rate(found.candidate), production, f"{found.margin:.2%}", _judged(found))
    if (rewards := readout.rewards) is not None:
        sides = (f"{rewards.candidate:.4g} an exposure", f"{rewards.production:.4g} an exposure")
        lost = Text(f"lost: {rewards.loss_low:.2%}", "red") if rewards.harm else Text("no harm shown")
        table.add_row("rewards", *sides, f"{rewards.margin:.2%}", lost)
    return table


def _rate(rate: Rate) -> Text:
    share = f"{rate.hits / rate.n:.2%}" if rate.n else "–"
    return Text(f"{share}  ").append(f"{rate.low:.2%}–{rate.high:.2%}", "dim")


def _judged(found: GuardrailReading) -> Text:
    return Text("harm", "red") if found.harm else Text("no harm shown")


def _reported(readout: Readout) -> list[str]:
    said = []
    for side, ms in readout.p99_ms.items():
        if ms is not None:
            said.append(f"p99 of {side}: at most {ms:g} ms")
    if readout.overlap is not None:
        said.append(f"overlap of slates: {readout.overlap:.1%}; {readout.skipped:,} requests were not compared")
    if (drift := readout.drift) is not None:
        said.append(f"scores: mean {drift.mean:+.2f} deviations from production's, {drift.spread:.2f} times as spread")
    return said


def _overlap(readout: Readout) -> str:
    return f", overlap {readout.overlap:.1%}" if readout.overlap is not None else ""


def _journal(rollout: Rollout) -> Table:
    table = Table(title="Journal", title_justify="left")
    for column in ("when (UTC)", "stage", "what", "by", "why"):
        table.add_column(column)
    for entry in rollout.journal:
        why = "\n".join(entry.why)
        table.add_row(f"{entry.at:%Y-%m-%d %H:%M:%S}", entry.stage, entry.what, entry.by or "", why)
    return table
