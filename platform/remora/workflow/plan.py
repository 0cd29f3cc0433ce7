"""What a run would do, and why: nothing is written, no cluster is started, and an empty home will do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from remora.core.errors import RemoraError
from remora.core.home import Home
from remora.settings import Settings
from remora.steps import Provenance, Step
from remora.steps.path import BUNDLE, steps_of_run
from remora.workflow.checks import CHECKS
from remora.workflow.reasons import UNRECORDED, Reason, ReasonKind, differences, first_reason
from remora.workflow.step_plan import Before, StepAction, StepPlan, input_reason


@dataclass(frozen=True, kw_only=True)
class RunPlan:
    """The steps of a run in order, each with what would become of it."""

    steps: tuple[StepPlan, ...]

    def named(self, action: StepAction) -> list[str]:
        """Names of the steps with that action."""
        return [one.step.name for one in self.steps if one.action is action]

    @property
    def summary(self) -> str:
        """One sentence."""
        runs, unknown = self.named(StepAction.RUN), self.named(StepAction.UNKNOWN)
        reused = self.named(StepAction.REUSE)
        of = f"{len(self.steps)} steps"
        if len(runs) == len(self.steps):
            return f"All {of} would run."
        said = [f"{len(runs)} of {of} would run: {', '.join(runs)}"] if runs else []
        said += [f"{len(unknown)} of {of} may run: {', '.join(unknown)}"] if unknown else []
        said += [f"{len(reused)} of {of} would take up an earlier result: {', '.join(reused)}"] if reused else []
        return "; ".join(said) + "." if said else f"Nothing would run: all {of} are unchanged."

    def as_json(self) -> dict[str, Any]:
        """For machines."""
        return {"steps": [one.as_json() for one in self.steps], "summary": self.summary}


def plan(settings: Settings, *, since_last: bool = False) -> RunPlan:
    """The plan of `remora run`.

    A step whose settings, inputs or code differ from those of its current version runs, unless a version of these is
    still there. What is made is named by what it is made from, so the versions of later steps are known before earlier
    ones have run; only what an ingest of new files makes is not.
    """
    home, found = Home(settings.home), list[StepPlan]()
    before: dict[str, StepPlan] = {}
    for step in steps_of_run(settings, since_last=since_last):
        one = _planned(step, settings, home, before)
        found.append(one)
        if step.artifact:
            before[step.artifact] = one
    return RunPlan(steps=tuple(found))


def planned_now(step: Step, settings: Settings) -> StepPlan:
    """The plan of one step, with what it reads as it is now."""
    home = Home(settings.home)
    return _planned(step, settings, home, {read.artifact: _as_it_is(read, home) for read in step.reads})


def _as_it_is(step: Step, home: Home) -> StepPlan:
    version = step.artifacts(home).current_version()
    if not version:
        return StepPlan(step=step, action=StepAction.RUN)
    return StepPlan(step=step, action=StepAction.UNCHANGED, version=version)


def _planned(step: Step, settings: Settings, home: Home, before: Before) -> StepPlan:
    check = CHECKS.get(step.name, _of_artifact)
    try:
        return check(step, settings, home, before)
    except RemoraError as error:  # what is damaged, or a source that has no file: its run will say the same
        reason = Reason(kind=ReasonKind.STATE, text=str(error))
        return StepPlan(step=step, action=StepAction.RUN, reasons=(reason,))


def _of_artifact(step: Step, settings: Settings, home: Home, before: Before) -> StepPlan:
    artifacts = step.artifacts(home)
    current, plans = artifacts.current_version(), [before[read.artifact] for read in step.reads]
    inputs = {one.step.artifact: one.version for one in plans if one.version is not None}
    now = step.provenance(settings, inputs)
    known = len(inputs) == len(plans)
    version = now.version if known else None
    metadata = artifacts.metadata(version) if version else None
    if version and metadata is not None and _is_of_use(step, home, metadata):
        action = StepAction.UNCHANGED if version == current else StepAction.REUSE
        return StepPlan(step=step, action=action, version=version)
    last = artifacts.metadata(current) if current else None
    if last is None:
        return StepPlan(step=step, action=StepAction.RUN, reasons=(first_reason(current),), version=version)
    own = _own_reasons(step, home, last, now)
    changed = [one for one in plans if one.version is None or one.version != _inputs(last).get(one.step.artifact)]
    sure = version is not None or own or any(one.action is not StepAction.UNKNOWN for one in changed)
    action = StepAction.RUN if sure else StepAction.UNKNOWN
    reasons = (*own, *(input_reason(one) for one in changed))
    return StepPlan(step=step, action=action, reasons=reasons, version=version)


def _own_reasons(step: Step, home: Home, last: Mapping[str, Any], now: Provenance) -> tuple[Reason, ...]:
    made_from = Provenance.of(last)
    if made_from is None:
        return (UNRECORDED,)
    found = tuple(differences(made_from, now))
    if not found and not _is_of_use(step, home, last):
        return (Reason(kind=ReasonKind.LOST, text=f"bundle {last.get('bundle')} has been removed"),)
    return found


def _inputs(metadata: Mapping[str, Any]) -> Mapping[str, str]:
    made_from = Provenance.of(metadata)
    return made_from.inputs if made_from else {}


def _is_of_use(step: Step, home: Home, metadata: Mapping[str, Any]) -> bool:
    """A record of a bundle may outlive it: see :mod:`remora.workflow.build_bundle`."""
    from remora.registry.store import BundleStore

    return step.name != BUNDLE.name or BundleStore(home).has(metadata["bundle"])
