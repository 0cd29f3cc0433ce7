"""The whole path, step by step. A step whose inputs are unchanged is a look-up, so a run that was cut off goes on."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from remora.contracts.artifacts import Artifact
from remora.contracts.errors import SettingsError
from remora.contracts.home import Home
from remora.features.build import build as build_features
from remora.features.materialize import materialize
from remora.features.store import apply
from remora.ingest.get import get
from remora.ingest.ingest import ingest
from remora.ingest.lake import Lake
from remora.ingest.report import report
from remora.registry.bundles import Bundles
from remora.settings import Settings
from remora.training import bundling, evaluation, ranking, retrieval

log = logging.getLogger(__name__)


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


def steps(settings: Settings, *, since_last: bool = False) -> tuple[Step, ...]:
    """The steps of a run in order, without serving.

    With ``since_last`` only new files are read, and the last step is the one that `retraining.on_success` names.
    """
    ingesting = ("remora data ingest --since last", partial(ingest, since_last=True))
    command, bring = ingesting if since_last else ("remora data ingest", ingest)
    fetch = Step(name="get", command="remora data get", run=_get)
    return (
        *((fetch,) if settings.data.get else ()),
        Step(name="ingest", command=command, run=bring),
        Step(name="quality report", command="remora data report", run=_report),
        Step(name="feature build", command="remora features build", run=_build_features),
        Step(name="feast apply", command="remora features apply", run=apply),
        Step(name="materialize", command="remora features materialize", run=materialize),
        Step(name="train retrieval", command="remora train retrieval", run=retrieval.train),
        Step(name="train ranking", command="remora train ranking", run=ranking.train),
        Step(name="evaluate", command="remora evaluate", run=evaluation.evaluate),
        Step(name="bundle", command="remora bundle build", run=bundling.record),
        _last(settings.retraining.policy if since_last else "promote"),
    )


def _last(policy: str) -> Step:
    if policy == "promote":
        return Step(name="promote", command="remora bundle promote", run=_promote)
    if policy == "candidate":
        return Step(name="candidate", command="remora bundle promote --alias candidate", run=_candidate)
    raise SettingsError(f"retraining.on_success is {policy}, which this version has not: use candidate or promote.")


def run(
    settings: Settings, *, since_last: bool = False, begun: Callable[[Step], None] = lambda step: None
) -> Iterator[Done]:
    """Run every step; yields each as it ends. ``begun`` is told of a step before it starts."""
    for step in steps(settings, since_last=since_last):
        begun(step)
        start, clock = datetime.now(UTC), time.monotonic()
        result = step.run(settings)
        yield Done(step=step, seconds=time.monotonic() - clock, unchanged=_older(result, than=start), result=result)


def _older(result: Any, *, than: datetime) -> bool:
    artifact = getattr(result, "artifact", result)
    return isinstance(artifact, Artifact) and datetime.fromisoformat(artifact.receipt["made_at"]) < than


def _get(settings: Settings) -> str:
    return get(settings, log.info)


def _report(settings: Settings) -> Any:
    return report(Lake.open(Home(settings.home)), settings)


def _build_features(settings: Settings) -> Artifact:
    return build_features(settings, Lake.open(Home(settings.home)))


def _candidate(settings: Settings) -> Any:
    bundle = bundling.record(settings).receipt["bundle"]
    return Bundles(settings).promote(bundle, "candidate", by="remora run", why="end of a run")


def _promote(settings: Settings) -> Any:
    bundle = bundling.record(settings).receipt["bundle"]
    return Bundles(settings).promote(bundle, by="remora run", why="end of a run")
