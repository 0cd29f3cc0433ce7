"""The calibration errors that the bundles' own evaluations found."""

from __future__ import annotations

from typing import Any

from remora.evaluation.segments import ALL
from remora.release.gates.calibration import Calibration, ObjectiveCalibration
from remora.release.gates.evidence.bundle_under_test import BundleUnderTest


def calibration(candidate: BundleUnderTest, production: BundleUnderTest | None) -> Calibration:
    """Of the candidate's objectives with a weight, over all users."""
    objectives = candidate.contents.settings.objectives
    mine, theirs = _errors(candidate), _errors(production) if production else {}
    return Calibration(
        objectives=tuple(
            ObjectiveCalibration(objective=name, candidate=mine.get(name), production=theirs.get(name))
            for name, objective in objectives.items()
            if objective.weight
        )
    )


def _errors(loaded: BundleUnderTest) -> dict[str, float]:
    objectives = loaded.contents.settings.objectives
    amounts = {name for name, objective in objectives.items() if objective.label == "value"}
    found: list[dict[str, Any]] = loaded.bundle.metrics().get("reliability", [])
    return {
        one["objective"]: one["error"] / (abs(one["observed"]) or 1.0 if one["objective"] in amounts else 1.0)
        for one in found
        if one["segment"] == ALL
    }
