"""The whole path, step by step. A step whose inputs have not changed is skipped, so an interrupted run continues."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from pydantic import BaseModel

from remora.core.artifacts import Artifact
from remora.core.errors import GatesFailed, NotFound, Refused
from remora.core.home import Home
from remora.features.build import build as build_features
from remora.features.materialize import materialize
from remora.features.store import apply
from remora.ingest.data_quality import report
from remora.ingest.download import download
from remora.ingest.lake import Lake
from remora.registry.bundles import Bundles
from remora.release.gates import promotion
from remora.release.gates.report import GateReport
from remora.release.gates.run import run_gates
from remora.release.rollout.controller import Controller, utc_now
from remora.release.rollout.plan import Plan
from remora.release.rollout.preflight import preflight
from remora.release.rollout.start import controller_lock, start_rollout
from remora.release.rollout.state import Rollout, Status
from remora.settings import Settings
from remora.steps import Step
from remora.steps import path as declared
from remora.steps.provenance import KEY
from remora.training import merge, ranking, ranking_examples, retrieval, retrieval_models
from remora.tuning import ranking as tune_ranking
from remora.tuning import retrieval as tune_retrieval
from remora.wiring import cluster
from remora.workflow import ablations, build_bundle, cold_start, evaluation
from remora.workflow.ingest import ingest
from remora.workflow.plan import planned_now
from remora.workflow.step_plan import StepAction

log = logging.getLogger(__name__)

BY, WHY = "remora run", "end of a run"


@dataclass(frozen=True, kw_only=True)
class PathStep:
    """A declared step, and what carries it out."""

    step: Step
    run: Callable[[Settings], Any]

    @property
    def name(self) -> str:
        """What it is called."""
        return self.step.name

    @property
    def command(self) -> str:
        """What runs it alone."""
        return self.step.command


@dataclass(frozen=True, kw_only=True)
class StepResult:
    """A step that ended. ``unchanged`` when its inputs were those of an earlier run."""

    step: PathStep
    seconds: float
    unchanged: bool
    result: Any


def steps(settings: Settings, *, since_last: bool = False) -> tuple[PathStep, ...]:
    """The steps of a run in order, as :func:`remora.steps.path.steps_of_run` names them.

    BadRequest for a plan of a rollout that does not parse: said before hours of training.
    """
    found = declared.steps_of_run(settings, since_last=since_last)
    if declared.ROLLOUT.name in [step.name for step in found]:
        Plan.parse(settings.retraining.plan)
    own = {declared.INGEST.name: partial(ingest, since_last=since_last)}
    return tuple(PathStep(step=step, run=own.get(step.name, FUNCTIONS[step.name])) for step in found)


def step_named(name: str, /, **options: str) -> PathStep:
    """Any declared step by its name, with `-` between words or a space; ``options`` are those of its function.

    NotFound says which steps there are.
    """
    known = {step.name: step for step in declared.STEPS}
    step = known.get(name.replace("-", " "))
    if step is None:
        raise NotFound("step", name, f"There are: {', '.join(one.replace(' ', '-') for one in known)}.")
    return PathStep(step=step, run=partial(FUNCTIONS[step.name], **options) if options else FUNCTIONS[step.name])


def run(
    settings: Settings, *, since_last: bool = False, begun: Callable[[PathStep], None] = lambda step: None
) -> Iterator[StepResult]:
    """Run every step; yields each as it ends. ``begun`` is called with a step before it starts."""
    for step in steps(settings, since_last=since_last):
        begun(step)
        yield run_step(step, settings)


def run_step(step: PathStep, settings: Settings) -> StepResult:
    """Run one step."""
    makes = bool(step.step.artifact)
    unchanged = not makes and planned_now(step.step, settings).action is StepAction.UNCHANGED
    clock = time.monotonic()
    result = step.run(settings)
    if makes:
        unchanged = getattr(result, "artifact", result).reused
    return StepResult(step=step, seconds=time.monotonic() - clock, unchanged=unchanged, result=result)


def described(result: Any) -> dict[str, Any]:
    """What a step gave, for machines: of an artifact its version and what it reports, without its files."""
    artifact = getattr(result, "artifact", result)
    if isinstance(artifact, Artifact):
        said = {key: value for key, value in artifact.metadata.items() if key not in UNSAID}
        return {"artifact": artifact.name, "version": artifact.version} | said
    if isinstance(result, BaseModel):
        return {"result": result.model_dump(mode="json")}
    return {"result": result}


def _report(settings: Settings) -> Any:
    return report(Lake.open(Home(settings.home)), settings)


def _built(settings: Settings) -> str:
    """The bundle of the run."""
    bundle: str = declared.BUNDLE.artifacts(Home(settings.home)).current().metadata["bundle"]
    return bundle


def _gates(settings: Settings) -> GateReport:
    """The bundle is the candidate from here on; GatesFailed leaves it that, and production as it is."""
    bundle = _built(settings)
    Bundles(settings).promote(bundle, "candidate", by=BY, why=WHY)
    found = run_gates(settings, bundle)
    if not found.passed:
        raise GatesFailed(bundle, found.failures, found.momentary)
    return found


def _promote(settings: Settings) -> Any:
    return promotion.promote(settings, _built(settings), by=BY, why=WHY)


def _roll_out(settings: Settings) -> Rollout:
    """Begun here; carried out on a cluster that outlives this program, or else by this program."""
    from remora.release.rollout import controller_actor

    plan = Plan.parse(settings.retraining.plan)
    with controller_lock(settings):
        begun = start_rollout(Bundles(settings), bundle=_built(settings), plan=plan, by=BY, why=WHY, now=utc_now())
        if not cluster.outlives(settings):
            ended = Controller(settings, preflight=preflight).run(rest=time.sleep)
            if ended.status is not Status.DONE:
                raise Refused(f"Rollout {ended.id} is {ended.status}: {'; '.join(ended.journal[-1].why)}")
            return ended
    controller_actor.start(settings, preflight)
    return begun


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    declared.DOWNLOAD.name: partial(download, progress=log.info),
    declared.INGEST.name: ingest,
    declared.REPORT.name: _report,
    declared.FEATURES.name: build_features,
    declared.APPLY.name: apply,
    declared.MATERIALIZE.name: materialize,
    declared.RETRIEVAL.name: retrieval.train,
    declared.MODELS.name: retrieval_models.train,
    declared.SLATES.name: ranking_examples.make,
    declared.RANKING.name: ranking.train,
    declared.MERGE.name: merge.choose_weights,
    declared.EVALUATE.name: evaluation.evaluate,
    declared.BUNDLE.name: build_bundle.record,
    declared.GATES.name: _gates,
    declared.PROMOTE.name: _promote,
    declared.ROLLOUT.name: _roll_out,
    declared.COLD_START.name: cold_start.record,
    declared.ABLATE.name: ablations.ablate,
    declared.TUNE_RETRIEVAL.name: tune_retrieval.search,
    declared.TUNE_RANKING.name: tune_ranking.search,
}
"""What carries out each declared step."""

UNSAID = ("files", "checksum", "version", KEY)
"""Of an artifact's metadata: for programs that read them."""
