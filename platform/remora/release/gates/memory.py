"""Gate: does a replica have room for the bundle?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import nan

from remora.release.gates.verdict import ALONE, Check, GateVerdict, verdict_of
from remora.settings import GatesSettings

GATE = "memory"


@dataclass(frozen=True, kw_only=True)
class Memory:
    """MiB by which the resident memory of a fresh process grew when it loaded each; None where it was not measured."""

    candidate_mib: float | None
    production_mib: float | None


def decide(evidence: Memory, bounds: GatesSettings) -> GateVerdict:
    """Passed when the growth is within the budget, and within the ratio to production's and some slack."""
    remarks = [ALONE] if evidence.production_mib is None else ()
    return verdict_of(GATE, [*_checks(evidence, bounds)], evidence, remarks=remarks, repeatable=False)


def _checks(found: Memory, bounds: GatesSettings) -> Iterator[Check]:
    measured = nan if found.candidate_mib is None else found.candidate_mib
    yield Check(what="Memory taken by loading", measured=measured, bound=bounds.memory_mib, unit="MiB")
    if found.production_mib is not None:
        bound = bounds.max_memory_ratio * max(found.production_mib, 0.0) + bounds.memory_tolerance_mib
        what = f"Memory taken by loading beside production's {found.production_mib:.0f} MiB"
        yield Check(what=what, measured=measured, bound=bound, unit="MiB")
