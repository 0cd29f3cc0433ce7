"""Gate: is every slate of the sample requests full, allowed, scored and whole?"""

from __future__ import annotations

from dataclasses import dataclass
from math import nan

from remora.release.gates.verdict import Check, GateVerdict, verdict_of
from remora.settings import GatesSettings

GATE = "slate_validity"

SHOWN = 5
"""Offenders that the evidence holds."""


@dataclass(frozen=True, kw_only=True)
class Offender:
    """One request whose slate has faults: how it was asked, and what is wrong."""

    surface: str
    user: str | None
    item: str | None
    faults: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class SlateValidity:
    """``invalid`` of ``requests`` have a fault; ``kinds`` counts requests by kind of fault; the first offenders.

    ``raised``: requests that ended in an error; then nothing more is asked of the bundle.
    """

    requests: int
    invalid: int
    raised: int
    kinds: dict[str, int]
    offenders: tuple[Offender, ...]


def decide(evidence: SlateValidity, bounds: GatesSettings) -> GateVerdict:
    """Passed when the share of requests without a fault is at least the bound."""
    share = 1 - evidence.invalid / evidence.requests if evidence.requests else nan
    check = Check(
        what=f"The share of {evidence.requests:,} requests whose slates are without fault",
        measured=share,
        bound=bounds.min_valid_fraction,
        unit="",
        at_most=False,
    )
    kinds = [f"{kind}: {count:,}" for kind, count in evidence.kinds.items()]
    return verdict_of(GATE, [check], evidence, remarks=[f"Requests by fault: {'; '.join(kinds)}."] if kinds else ())
