"""Gate: do the slates still show the catalogue, not the same few items to all users?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import nan

from remora.release.gates.verdict import ALONE, Check, GateVerdict, verdict_of
from remora.settings import GatesSettings

GATE = "coverage"


@dataclass(frozen=True, kw_only=True)
class CoverageEvidence:
    """Distinct items among the first ``cutoff`` of ``slates``, of a catalogue of ``items``; production on the same."""

    candidate: int
    production: int | None
    slates: int
    cutoff: int
    items: int

    @property
    def attainable(self) -> int:
        """The most that so many slates can show."""
        return min(self.items, self.slates * self.cutoff)


def decide(evidence: CoverageEvidence, bounds: GatesSettings) -> GateVerdict:
    """Passed when the share of what could be shown, and of what production shows, are at least the bounds."""
    remarks = [ALONE] if evidence.production is None else ()
    return verdict_of(GATE, [*_checks(evidence, bounds)], evidence, remarks=remarks)


def _checks(found: CoverageEvidence, bounds: GatesSettings) -> Iterator[Check]:
    yield Check(
        what=f"The share of the {found.attainable:,} items that {found.slates:,} slates can show",
        measured=found.candidate / found.attainable if found.attainable else nan,
        bound=bounds.min_coverage,
        unit="",
        at_most=False,
    )
    if found.production:
        yield Check(
            what=f"The number of distinct items beside production's {found.production:,}",
            measured=found.candidate,
            bound=bounds.min_coverage_ratio * found.production,
            unit="items",
            at_most=False,
        )
