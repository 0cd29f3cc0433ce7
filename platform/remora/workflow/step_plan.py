"""What a run would do with one step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from remora.steps import Step
from remora.workflow.reasons import Reason, ReasonKind


class StepAction(StrEnum):
    """What would become of a step."""

    RUN = "run"
    REUSE = "reuse"
    """Its result was made before and is still there, but is not the current one."""
    UNCHANGED = "unchanged"
    UNKNOWN = "unknown"
    """An earlier step decides, by what it makes."""


@dataclass(frozen=True, kw_only=True)
class StepPlan:
    """One step of a plan. ``version``: of what it will have made, where that is known beforehand."""

    step: Step
    action: StepAction
    reasons: tuple[Reason, ...] = ()
    version: str | None = None

    def as_json(self) -> dict[str, Any]:
        """For machines."""
        return {
            "name": self.step.name,
            "command": self.step.command,
            "action": str(self.action),
            "version": self.version,
            "reasons": [reason.as_json() for reason in self.reasons],
        }


Before = Mapping[str, StepPlan]
"""Artifact -> the plan of the step that makes it."""


def waiting(step: Step, before: Before) -> StepPlan | None:
    """The plan of a step that reads what is yet to be made; None where all of it is there."""
    plans = [before[read.artifact] for read in step.reads]
    reasons = tuple(input_reason(one) for one in plans if one.action in (StepAction.RUN, StepAction.UNKNOWN))
    if not reasons:
        return None
    runs = any(one.action is StepAction.RUN for one in plans)
    return StepPlan(step=step, action=StepAction.RUN if runs else StepAction.UNKNOWN, reasons=reasons)


def input_reason(plan: StepPlan) -> Reason:
    """That a step before it makes another version of what it reads."""
    name = plan.step.name
    said = {
        StepAction.RUN: f"'{name}' runs before it",
        StepAction.REUSE: f"'{name}' takes up an earlier result",
        StepAction.UNKNOWN: f"'{name}' may give another result",
        StepAction.UNCHANGED: f"it was made from another result of '{name}'",
    }
    details = {"step": name, "artifact": plan.step.artifact, "after": plan.version}
    return Reason(kind=ReasonKind.INPUT, text=said[plan.action], details=details)
