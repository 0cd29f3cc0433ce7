"""Gate: do the ranker's probabilities and amounts mean what they say?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import nan

from remora.release.gates.verdict import ALONE, Check, GateVerdict, verdict_of
from remora.settings import GatesSettings

GATE = "calibration"


@dataclass(frozen=True, kw_only=True)
class ObjectiveCalibration:
    """Expected calibration error of one objective: of a probability as it is, of an amount by its observed mean.

    ``candidate`` is None where nothing was measured, ``production`` where it has no such objective.
    """

    objective: str
    candidate: float | None
    production: float | None


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """Of every objective with a weight, as the bundles' own evaluations found it."""

    objectives: tuple[ObjectiveCalibration, ...]


def decide(evidence: Calibration, bounds: GatesSettings) -> GateVerdict:
    """Passed when no error is above the bound, or above production's by more than the margin."""
    checks = [check for one in evidence.objectives for check in _checks(one, bounds)]
    if not checks:
        checks = [Check(what="The calibration error", measured=nan, bound=bounds.calibration_error, unit="")]
    alone = all(one.production is None for one in evidence.objectives)
    return verdict_of(GATE, checks, evidence, remarks=[ALONE] if alone else ())


def _checks(found: ObjectiveCalibration, bounds: GatesSettings) -> Iterator[Check]:
    what = f"The calibration error of {found.objective}"
    measured = nan if found.candidate is None else found.candidate
    yield Check(what=what, measured=measured, bound=bounds.calibration_error, unit="")
    if found.production is not None:
        bound = found.production + bounds.calibration_margin
        yield Check(what=f"{what} beside production's {found.production:.4f}", measured=measured, bound=bound, unit="")
