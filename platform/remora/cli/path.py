"""The whole path, step by step. A step whose inputs have not changed is skipped, so a run that was cut off continues.

It stands with the commands, whose order it is, because training and rollout know nothing of each other.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from remora.contracts.artifacts import Artifact
from remora.contracts.errors import GatesFailed, Refused
from remora.contracts.home import Home
from remora.features.build import build as build_features
from remora.features.materialize import materialize
from remora.features.store import apply
from remora.ingest.data_quality import report
from remora.ingest.download import download
from remora.ingest.ingest import ingest
from remora.ingest.lake import Lake
from remora.registry.bundles import Bundles
from remora.rollout.controller import Controller, utc_now
from remora.rollout.gates import promotion
from remora.rollout.gates.report import GateReport
from remora.rollout.gates.run import run_gates
from remora.rollout.plan import Plan
from remora.rollout.preflight import preflight
from remora.rollout.start import controller_lock, start_rollout
from remora.rollout.state import Rollout, Status
from remora.settings import Settings
from remora.training import build_bundle, evaluation, ranking, retrieval
from remora.wiring import cluster

log = logging.getLogger(__name__)

BY, WHY = "remora run", "end of a run"


@dataclass(frozen=True, kw_only=True)
class PathStep:
    """One step of the path: the command that runs it alone, and what it does."""

    name: str
    command: str
    run: Callable[[Settings], Any]


@dataclass(frozen=True, kw_only=True)
class StepResult:
    """A step that ended. ``unchanged`` when its inputs were those of an earlier run."""

    step: PathStep
    seconds: float
    unchanged: bool
    result: Any


def steps(settings: Settings, *, since_last: bool = False) -> tuple[PathStep, ...]:
    """The steps of a run in order, without serving.

    With ``since_last`` only new files are read, and the last step is the one that `retraining.on_success` names.
    """
    ingesting = ("remora data ingest --since last", partial(ingest, since_last=True))
    command, bring = ingesting if since_last else ("remora data ingest", ingest)
    fetch = PathStep(name="download", command="remora data download", run=_download)
    return (
        *((fetch,) if settings.data.dataset else ()),
        PathStep(name="ingest", command=command, run=bring),
        PathStep(name="quality report", command="remora data report", run=_report),
        PathStep(name="feature build", command="remora features build", run=_build_features),
        PathStep(name="feast apply", command="remora features apply", run=apply),
        PathStep(name="materialize", command="remora features materialize", run=materialize),
        PathStep(name="train retrieval", command="remora train retrieval", run=retrieval.train),
        PathStep(name="train ranking", command="remora train ranking", run=ranking.train),
        PathStep(name="evaluate", command="remora evaluate", run=evaluation.evaluate),
        PathStep(name="bundle", command="remora bundle build", run=build_bundle.record),
        PathStep(name="gates", command="remora gate", run=_gates),
        *_last(settings, since_last=since_last),
    )


def _last(settings: Settings, *, since_last: bool) -> tuple[PathStep, ...]:
    """What becomes of a candidate that has passed its gates."""
    chosen = settings.retraining
    if not since_last or chosen.policy == "promote":
        return (PathStep(name="promote", command="remora bundle promote", run=_promote),)
    if chosen.policy == "rollout":
        plan = Plan.parse(chosen.plan)  # what is wrong with it is said before hours of training
        command = f"remora rollout start --bundle candidate --plan {plan}"
        return (PathStep(name="rollout", command=command, run=partial(_roll_out, plan=plan)),)
    return ()


def run(
    settings: Settings, *, since_last: bool = False, begun: Callable[[PathStep], None] = lambda step: None
) -> Iterator[StepResult]:
    """Run every step; yields each as it ends. ``begun`` is called with a step before it starts."""
    for step in steps(settings, since_last=since_last):
        begun(step)
        start, clock = datetime.now(UTC), time.monotonic()
        result = step.run(settings)
        yield StepResult(
            step=step, seconds=time.monotonic() - clock, unchanged=_older(result, than=start), result=result
        )


def _older(result: Any, *, than: datetime) -> bool:
    artifact = getattr(result, "artifact", result)
    if isinstance(artifact, GateReport):
        return artifact.created_at < than
    return isinstance(artifact, Artifact) and datetime.fromisoformat(artifact.metadata["created_at"]) < than


def _download(settings: Settings) -> str:
    return download(settings, log.info)


def _report(settings: Settings) -> Any:
    return report(Lake.open(Home(settings.home)), settings)


def _build_features(settings: Settings) -> Artifact:
    return build_features(settings, Lake.open(Home(settings.home)))


def _gates(settings: Settings) -> GateReport:
    """The bundle is the candidate from here on; GatesFailed leaves it that, and production as it is."""
    bundle = build_bundle.record(settings).metadata["bundle"]
    Bundles(settings).promote(bundle, "candidate", by=BY, why=WHY)
    found = run_gates(settings, bundle)
    if not found.passed:
        raise GatesFailed(bundle, found.failures, found.momentary)
    return found


def _promote(settings: Settings) -> Any:
    return promotion.promote(settings, build_bundle.record(settings).metadata["bundle"], by=BY, why=WHY)


def _roll_out(settings: Settings, *, plan: Plan) -> Rollout:
    """Begun here; carried out on a cluster that outlives this program, or else by this program."""
    from remora.rollout import controller_actor

    bundle = build_bundle.record(settings).metadata["bundle"]
    with controller_lock(settings):
        begun = start_rollout(Bundles(settings), bundle=bundle, plan=plan, by=BY, why=WHY, now=utc_now())
        if not cluster.outlives(settings):
            ended = Controller(settings, preflight=preflight).run(rest=time.sleep)
            if ended.status is not Status.DONE:
                raise Refused(f"Rollout {ended.id} is {ended.status}: {'; '.join(ended.journal[-1].why)}")
            return ended
    controller_actor.start(settings, preflight)
    return begun
