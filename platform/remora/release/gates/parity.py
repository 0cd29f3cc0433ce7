"""Gate: do the features that serve have the schema and the values that the bundle was made of?"""

from __future__ import annotations

from dataclasses import dataclass

from remora.release.gates.verdict import Check, GateVerdict, verdict_of
from remora.settings import GatesSettings

GATE = "parity"


@dataclass(frozen=True, kw_only=True)
class Parity:
    """``services``: name -> hash of the schema that the bundle was made of, and of the one applied now (None: gone).

    ``differing`` describes columns whose served values are not those that are computed offline.
    """

    services: dict[str, tuple[str, str | None]]
    differing: tuple[str, ...]
    columns: int
    users: int
    items: int

    @property
    def changed(self) -> tuple[str, ...]:
        """Services that are gone or of another schema, described."""
        return tuple(
            f"feature service {name} {f'has schema {now}, the bundle was made of {then}' if now else 'is gone'}"
            for name, (then, now) in self.services.items()
            if now != then
        )


def decide(evidence: Parity, bounds: GatesSettings) -> GateVerdict:
    """Passed when no service changed and no column differs."""
    wrong = (*evidence.changed, *evidence.differing)
    checks = [Check(what="The number of differences", measured=len(wrong), bound=0, unit="")]
    return verdict_of(GATE, checks, evidence, remarks=[f"{'; '.join(wrong[:3])}."] if wrong else ())
