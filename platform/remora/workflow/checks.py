"""Steps whose plan is not told by an artifact's name: what they look at, and what they change elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from remora.core.artifacts import Artifact
from remora.core.errors import UnreadableInput
from remora.core.home import Home
from remora.settings import Settings
from remora.steps import Provenance, Step
from remora.steps.path import (
    APPLY,
    BUNDLE,
    DOWNLOAD,
    FEATURES,
    GATES,
    INGEST,
    MATERIALIZE,
    PROMOTE,
    REPORT,
    ROLLOUT,
)
from remora.workflow.reasons import UNRECORDED, Reason, ReasonKind, differences, first_reason
from remora.workflow.step_plan import Before, StepAction, StepPlan, waiting

Check = Callable[[Step, Settings, Home, Before], StepPlan]


def _download(step: Step, settings: Settings, home: Home, before: Before) -> StepPlan:
    from remora.ingest.download import missing_files

    missing = missing_files(settings)
    return _told(step, f"{missing[0]} is not there" if missing else None)


def _ingest(step: Step, settings: Settings, home: Home, before: Before) -> StepPlan:
    from remora.events.collect import has_new_records
    from remora.ingest.file_fingerprints import read_fingerprints
    from remora.ingest.lake import lake_artifacts
    from remora.ingest.provenance import lake_provenance
    from remora.ingest.sent_events import with_sent_events
    from remora.ingest.sent_updates import with_sent_updates
    from remora.ingest.source_changes import source_changes

    settings = with_sent_updates(with_sent_events(settings))
    artifacts = lake_artifacts(home)
    current = artifacts.current_version()
    metadata = artifacts.metadata(current) if current else None
    if current is None or metadata is None:
        return StepPlan(step=step, action=StepAction.RUN, reasons=(first_reason(current),))
    made_from = Provenance.of(metadata)
    known = read_fingerprints(Artifact(home, step.artifact, current, metadata))
    now = lake_provenance(settings, known.values())
    own = tuple(differences(made_from, now)) if made_from else (UNRECORDED,)
    changes, sent = source_changes(settings, home, known), has_new_records(settings)
    files = tuple(Reason(kind=ReasonKind.FILES, text=text) for text in changes.said)
    if sent:
        files += (Reason(kind=ReasonKind.FILES, text="the event log has something that is not collected yet"),)
    if not files:
        if now.version == current:
            return StepPlan(step=step, action=StepAction.UNCHANGED, version=current)
        there = artifacts.metadata(now.version) is not None
        action = StepAction.REUSE if there else StepAction.RUN
        return StepPlan(step=step, action=action, reasons=own, version=now.version)
    sure = bool(own or sent) or changes.are_sure
    return StepPlan(step=step, action=StepAction.RUN if sure else StepAction.UNKNOWN, reasons=(*own, *files))


def _report(step: Step, settings: Settings, home: Home, before: Before) -> StepPlan:
    from remora.ingest.data_quality import report_path

    lake = before[INGEST.artifact].version
    return waiting(step, before) or _told(
        step, None if home.exists(report_path(str(lake))) else f"lake {lake} has no report"
    )


def _apply(step: Step, settings: Settings, home: Home, before: Before) -> StepPlan:
    from remora.features.applied import read_applied
    from remora.features.feature_repo import applied_as

    if (waits := waiting(step, before)) is not None:
        return waits
    now, last = applied_as(settings, str(before[FEATURES.artifact].version)), read_applied(home)
    said = {"tables": "the feature tables are others", "declarations": "feature_repo/ has changed"}
    changed = [name for name, value in now.items() if last.get(name) != value]
    if not last:
        return _told(step, "nothing was applied yet")
    return _told(step, "; ".join(said.get(name, f"the {name} is another") for name in changed) or None)


def _materialize(step: Step, settings: Settings, home: Home, before: Before) -> StepPlan:
    from remora.features.applied import views_to_write
    from remora.features.tables import FeatureTables

    if (waits := waiting(step, before)) is not None:
        return waits
    version = str(before[FEATURES.artifact].version)
    tables = FeatureTables(Artifact(home, FEATURES.artifact, version, FEATURES.artifacts(home).metadata(version) or {}))
    views = views_to_write(settings, tables)
    return _told(step, f"the online store has no rows of these tables in {', '.join(views)}" if views else None)


def _gates(step: Step, settings: Settings, home: Home, before: Before) -> StepPlan:
    from remora.release.gates import report

    if (waits := waiting(step, before)) is not None:
        return waits
    bundle, production = _bundle(home, before), _production(home)
    production = None if production == bundle else production
    kept = report.read(home, bundle, production)
    others = report.read_all(home, bundle) if production is None else ()
    lake = str(before[INGEST.artifact].version)
    for one in (*([kept] if kept else ()), *others):
        if one.version == report.report_version(settings, lake, bundle, one.production):
            if one.momentary:
                return _told(step, f"{' and '.join(one.momentary)} failed, which may be the machine's other work")
            return StepPlan(step=step, action=StepAction.UNCHANGED, version=one.version)
    beside = f"beside {production}" if production else "by absolute bounds"
    return _told(step, f"bundle {bundle} was not measured {beside}, or under other bounds")


def _in_production(step: Step, settings: Settings, home: Home, before: Before) -> StepPlan:
    if (waits := waiting(step, before)) is not None:
        return waits
    bundle, production = _bundle(home, before), _production(home)
    serving = f"bundle {production} is in production" if production else "no bundle is in production"
    return _told(step, None if production == bundle else serving)


CHECKS: Mapping[str, Check] = {
    DOWNLOAD.name: _download,
    INGEST.name: _ingest,
    REPORT.name: _report,
    APPLY.name: _apply,
    MATERIALIZE.name: _materialize,
    GATES.name: _gates,
    PROMOTE.name: _in_production,
    ROLLOUT.name: _in_production,
}


def _told(step: Step, why: str | None) -> StepPlan:
    if why is None:
        return StepPlan(step=step, action=StepAction.UNCHANGED)
    return StepPlan(step=step, action=StepAction.RUN, reasons=(_state(why),))


def _state(text: str) -> Reason:
    return Reason(kind=ReasonKind.STATE, text=text)


def _bundle(home: Home, before: Before) -> str:
    metadata: Mapping[str, Any] = BUNDLE.artifacts(home).metadata(str(before[BUNDLE.artifact].version)) or {}
    return str(metadata.get("bundle"))


def _production(home: Home) -> str | None:
    from remora.control.traffic import TrafficStore

    try:
        traffic = TrafficStore(home).read()
    except UnreadableInput:
        return None
    return traffic.production if traffic else None
