"""A home as a run leaves it, without the hours: a real lake, and of every other step a version with what named it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from remora.control.traffic import PATH as TRAFFIC
from remora.control.traffic import Traffic
from remora.core.home import Home
from remora.features.applied import APPLIED, RECORD
from remora.features.feature_repo import applied_as
from remora.ingest.data_quality import report_path
from remora.ingest.ingest import ingest
from remora.registry.manifest import ID_DIGITS, MANIFEST
from remora.registry.store import folder
from remora.release.gates import report
from remora.release.gates.report import GateReport, report_version
from remora.release.gates.verdict import GateVerdict
from remora.settings import Settings
from remora.steps.path import BUNDLE, FEATURES, INGEST, steps_of_run
from remora.steps.provenance import KEY

BUILT = "ab" * (ID_DIGITS // 2)
REPORTS: dict[str, dict[str, Any]] = {
    FEATURES.name: {
        "rows": {"user_activity": 1},
        "views": {"user_activity": {"entity": "user", "description": ""}},
        "end": "2026-01-01T00:00:00+00:00",
    },
    BUNDLE.name: {"bundle": BUILT},
}


def finish_run(settings: Settings) -> None:
    """What `remora run` leaves in the home of these settings."""
    home, lake = Home(settings.home), ingest(settings)
    home.write_json(report_path(lake.version), {})
    for step in steps_of_run(settings):
        if step.artifact and step.name != INGEST.name:
            artifacts, made_from = step.artifacts(home), step.current(settings)
            made = {KEY: made_from.as_json(), **REPORTS.get(step.name, {})}
            artifacts.commit(artifacts.staging(made_from.version), **made)
    tables = str(FEATURES.artifacts(home).current_version())
    home.write_json(APPLIED, applied_as(settings, tables))
    home.write_json(RECORD, {"user_activity": {"tables": tables, "store": settings.features.redis}})
    home.write_bytes(f"{folder(BUILT)}/{MANIFEST}", b"{}")
    loads = {"gate": "load", "passed": True, "measured": 1.0, "bound": 2.0, "unit": "s", "evidence": {}}
    found = GateReport(
        candidate=BUILT,
        production=None,
        version=report_version(settings, lake.version, BUILT, None),
        lake=lake.version,
        created_at=datetime.now(UTC),
        seconds=1.0,
        verdicts=(GateVerdict.model_validate(loads | {"sentence": "It loads."}),),
    )
    report.write(home, found)
    home.write_json(TRAFFIC, Traffic(production=BUILT).model_dump(mode="json"))
