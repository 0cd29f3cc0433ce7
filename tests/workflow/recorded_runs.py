"""Steps and runs as these tests need them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from remora.core.artifacts import Artifact
from remora.core.home import Home
from remora.ingest.lake import Lake
from remora.settings import Settings
from remora.workflow import path
from remora.workflow.path import PathStep, StepResult
from remora.workflow.run_recorder import recorded_run

LAST_EVENT = datetime(2026, 3, 4, 5, 6, tzinfo=UTC)


def lake(settings: Settings, version: str) -> Lake:
    made = {"files": {"read": 1, "known": 2}, "rows_read": 3, "days": {"new": 1, "merged": 0, "reused": 2}}
    return Lake(Artifact(Home(settings.home), "lake", version, {"last": LAST_EVENT.isoformat(), "build": made}))


def whole_path(settings: Settings, version: str, **planted: Callable[[Settings], Any]) -> Iterator[StepResult]:
    """The steps of the path by their names, each of which gives nothing but the ingest; `planted` replaces some."""
    given = {"ingest": lambda settings: lake(settings, version)} | planted
    for step in path.steps(settings, since_last=True):
        run = given.get(step.name.replace(" ", "_"), lambda settings: None)
        yield StepResult(step=step, seconds=0.25, unchanged=False, result=run(settings))


def run(settings: Settings, version: str = "a-lake", since: str | None = "last", **planted: Any) -> list[str]:
    """One recorded run; the names of the steps that ended."""
    with recorded_run(settings, by="ann", since=since) as record:
        return [done.step.name for done in record.through(announced(record.begun, settings, version, **planted))]


def announced(
    begun: Callable[[PathStep], None], settings: Settings, version: str, **planted: Any
) -> Iterator[StepResult]:
    """As the path does: a step is announced before it runs."""
    names = [step.name for step in path.steps(settings, since_last=True)]
    steps = {step.name: step for step in path.steps(settings, since_last=True)}
    going = whole_path(settings, version, **planted)
    for name in names:
        begun(steps[name])
        yield next(going)
