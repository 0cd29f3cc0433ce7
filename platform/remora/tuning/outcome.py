"""A search kept under a name: looked up when nothing changed, run otherwise, and read by the next command."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import yaml

from remora.core.artifacts import Artifact, ArtifactStore
from remora.core.errors import NotFound, SettingsError
from remora.core.section import Section
from remora.extensions import ComponentChoice
from remora.settings import Settings
from remora.training.tracking import tracked
from remora.tuning.report import SearchReport, written
from remora.tuning.search import Search, Spaces

REPORT, BEST = "report.json", "best.yaml"

OnReport = Callable[[dict[str, Any]], None]


@dataclass(frozen=True, kw_only=True)
class SearchPlan:
    """What is sought: the fields ``spaces`` of the settings at ``path``, a section that says ``before`` now.

    ``trial(changes, **given)`` is what :class:`Search` runs.
    """

    path: str
    before: Section
    spaces: Spaces
    metric: str
    most_epochs: int
    trial: Callable[..., None]
    given: Mapping[str, Any]


def check_name(name: str) -> None:
    """SettingsError for a name that is no folder's."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9_.-]*", name):
        raise SettingsError(f"A search cannot be called {name!r}: use small letters, digits, '.', '_' and '-'.")


def cached_search(
    settings: Settings,
    artifacts: ArtifactStore,
    name: str,
    made_from: str,
    plan: Callable[[], SearchPlan],
    on_report: OnReport,
) -> Artifact:
    """Search within ``settings.tuning`` and keep the outcome as ``name``; one that was made from the same is reused,
    and ``plan`` isn't asked. Interrupted, the same search continues."""
    done = artifacts.find(name)
    if done is not None and done.metadata["made_from"] == made_from:
        return replace(done, reused=True)
    planned = plan()
    sought = Search(
        home=artifacts.home,
        name=f"{name}-{made_from}",
        section=type(planned.before),
        spaces=planned.spaces,
        first={field: _as_written(getattr(planned.before, field)) for field in planned.spaces},
        metric=planned.metric,
        most_epochs=planned.most_epochs,
        settings=settings.tuning,
    )
    with tracked(settings, artifacts.name, name, settings.tuning.model_dump()) as run:
        trials = sought.run(planned.trial, planned.given, on_report)
        best = trials[0]
        run.metrics({planned.metric: best.best, "trials": len(trials)})
    staging = artifacts.staging(name)
    found = SearchReport(name=name, section=planned.path, metric=planned.metric, trials=trials, first=sought.first)
    for file, content in written(found).items():
        artifacts.home.write_bytes(f"{staging.folder}/{file}", content)
    artifact = artifacts.commit(staging, made_from=made_from, best=best.changes, metrics={planned.metric: best.best})
    sought.forget()
    return artifact


def _as_written(value: Any) -> Any:
    return value.brief if isinstance(value, ComponentChoice) else value


def read_search(artifact: Artifact) -> SearchReport:
    """What a search found."""
    return artifact.read_document(REPORT, SearchReport)


def best_of(artifacts: ArtifactStore, name: str) -> dict[str, Any]:
    """The best of the search ``name``, nested as in the settings; NotFound says which there are."""
    found = artifacts.find(name)
    if found is None:
        versions, home = f"{artifacts.name}/versions", artifacts.home
        names = sorted({path.split("/")[0] for path in home.files(versions)}) if home.exists(versions) else []
        raise NotFound("search", name, f"There are: {', '.join(names)}." if names else f"Run {artifacts.command}.")
    best: dict[str, Any] = yaml.safe_load(found.read_bytes(BEST))
    return best
