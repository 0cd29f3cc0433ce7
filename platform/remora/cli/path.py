"""The whole path, step by step. A step whose inputs are unchanged is a look-up, so a run that was cut off goes on.

It stands with the commands, whose order it is, because training and rollout know nothing of each other.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from remora.contracts.artifacts import Artifact
from remora.contracts.errors import GatesFailed
from remora.contracts.home import Home
from remora.features.build import build as build_features
from remora.features.materialize import materialize
from remora.features.store import apply
from remora.ingest.get import get
from remora.ingest.ingest import ingest
from remora.ingest.lake import Lake
from remora.ingest.report import report
from remora.registry.bundles import Bundles
from remora.rollout.gates import promotion
from remora.rollout.gates.gated import gated
from remora.rollout.gates.report import GateReport
from remora.settings import Settings
from remora.training import bundling, evaluation, ranking, retrieval

log = logging.getLogger(__name__)

BY, WHY = "remora run", "end of a run"


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step of the path: the command that runs it alone, and what it does."""

    name: str
    command: str
    run: Callable[[Settings], Any]


@dataclass(frozen=True, kw_only=True)
class Done:
    """A step that ended. ``unchanged`` when its inputs were those of an earlier run."""

    step: Step
    seconds: float
    unchanged: bool
    result: Any


def steps(settings: Settings) -> tuple[Step, ...]:
    """The steps of a run in order, without serving."""
    fetch = Step(name="get", command="remora data get", run=_get)
    return (
        *((fetch,) if settings.data.get else ()),
        Step(name="ingest", command="remora data ingest", run=ingest),
        Step(name="quality report", command="remora data report", run=_report),
        Step(name="feature build", command="remora features build", run=_build_features),
        Step(name="feast apply", command="remora features apply", run=apply),
        Step(name="materialize", command="remora features materialize", run=materialize),
        Step(name="train retrieval", command="remora train retrieval", run=retrieval.train),
        Step(name="train ranking", command="remora train ranking", run=ranking.train),
        Step(name="evaluate", command="remora evaluate", run=evaluation.evaluate),
        Step(name="bundle", command="remora bundle build", run=bundling.record),
        Step(name="gates", command="remora gate", run=_gates),
        Step(name="promote", command="remora bundle promote", run=_promote),
    )


def run(settings: Settings, *, begun: Callable[[Step], None] = lambda step: None) -> Iterator[Done]:
    """Run every step; yields each as it ends. ``begun`` is told of a step before it starts."""
    for step in steps(settings):
        begun(step)
        start, clock = datetime.now(UTC), time.monotonic()
        result = step.run(settings)
        yield Done(step=step, seconds=time.monotonic() - clock, unchanged=_older(result, than=start), result=result)


def _older(result: Any, *, than: datetime) -> bool:
    artifact = getattr(result, "artifact", result)
    if isinstance(artifact, GateReport):
        return artifact.made_at < than
    return isinstance(artifact, Artifact) and datetime.fromisoformat(artifact.receipt["made_at"]) < than


def _get(settings: Settings) -> str:
    return get(settings, log.info)


def _report(settings: Settings) -> Any:
    return report(Lake.open(Home(settings.home)), settings)


def _build_features(settings: Settings) -> Artifact:
    return build_features(settings, Lake.open(Home(settings.home)))


def _gates(settings: Settings) -> GateReport:
    """The bundle is the candidate from here on; GatesFailed leaves it that, and production as it is."""
    bundle = bundling.record(settings).receipt["bundle"]
    Bundles(settings).promote(bundle, "candidate", by=BY, why=WHY)
    found = gated(settings, bundle)
    if not found.passed:
        raise GatesFailed(bundle, found.failures)
    return found


def _promote(settings: Settings) -> Any:
    return promotion.promote(settings, bundling.record(settings).receipt["bundle"], by=BY, why=WHY)
