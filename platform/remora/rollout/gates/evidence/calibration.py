"""The calibration errors that the bundles' own evaluations found."""

from __future__ import annotations

from typing import Any

from remora.evaluation.segments import ALL
from remora.rollout.gates.calibration import Calibrated, Calibration
from remora.rollout.gates.evidence.opened import Opened


def calibration(candidate: Opened, production: Opened | None) -> Calibration:
    """Of the candidate's objectives with a weight, over all users."""
    objectives = candidate.contents.settings.objectives
    mine, theirs = _errors(candidate), _errors(production) if production else {}
    return Calibration(
        objectives=tuple(
            Calibrated(objective=name, candidate=mine.get(name), production=theirs.get(name))
            for name, objective in objectives.items()
            if objective.weight
        )
    )


def _errors(opened: Opened) -> dict[str, float]:
    objectives = opened.contents.settings.objectives
    amounts = {name for name, objective in objectives.items() if objective.label == "value"}
    found: list[dict[str, Any]] = opened.bundle.read_json("metrics.json").get("reliability", [])
    return {
        one["objective"]: one["error"] / (abs(one["observed"]) or 1.0 if one["objective"] in amounts else 1.0)
        for one in found
        if one["segment"] == ALL
    }
