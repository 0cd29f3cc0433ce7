"""What the gates said of a bundle: one document for each pair of candidate and production, kept in the home."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field, computed_field

from remora.core.errors import UnreadableInput
from remora.core.home import Home
from remora.core.json_document import read_document
from remora.release.gates.verdict import GateVerdict
from remora.settings import Settings
from remora.steps.path import GATES, INGEST

FOLDER = "gates"
NONE = "none"


class GateReport(BaseModel):
    """The verdicts on ``candidate`` beside ``production``; ``version`` fingerprints all that they depend on."""

    model_config = ConfigDict(frozen=True)

    candidate: str
    production: str | None
    version: str
    lake: str = Field(description="version of the lake that both were replayed on")
    created_at: datetime
    seconds: float
    verdicts: tuple[GateVerdict, ...]
    not_run: dict[str, str] = Field({}, description="gate -> why it was not measured")
    remarks: tuple[str, ...] = ()

    @computed_field  # type: ignore[prop-decorator]
    @property
    def passed(self) -> bool:
        """May it become production?"""
        return bool(self.verdicts) and not self.failed and not self.not_run

    @property
    def failed(self) -> tuple[GateVerdict, ...]:
        """The verdicts that say no."""
        return tuple(verdict for verdict in self.verdicts if not verdict.passed)

    @property
    def momentary(self) -> tuple[str, ...]:
        """The gates whose failure may be the moment's: measured again, they may pass."""
        return tuple(verdict.gate for verdict in self.failed if not verdict.repeatable)

    @property
    def failures(self) -> tuple[str, ...]:
        """Which gates failed and by how much, a line each."""
        return tuple(f"{verdict.gate}: {verdict.sentence}" for verdict in self.failed)


def report_version(settings: Settings, lake: str, candidate: str, production: str | None) -> str:
    """Fingerprint of all that the verdicts on a candidate depend on, beside the production of then."""
    compared = {"candidate": candidate, "production": production or NONE}
    return GATES.provenance(settings, {INGEST.artifact: lake}, compared).version


def write(home: Home, report: GateReport) -> None:
    """Keep it, in place of an earlier one of the same pair."""
    home.write_bytes(_path(report.candidate, report.production), report.model_dump_json(indent=1).encode())


def read(home: Home, candidate: str, production: str | None) -> GateReport | None:
    """The last report of a pair; None where no readable one exists."""
    try:
        return read_document(home, _path(candidate, production), GateReport, "")
    except (FileNotFoundError, UnreadableInput):  # damaged, or an earlier version of Remora wrote another form
        return None


def read_all(home: Home, candidate: str) -> Iterator[GateReport]:
    """Every last report of a candidate, beside whatever production there was."""
    for name in home.files(f"{FOLDER}/{candidate}"):
        other = name.removesuffix(".json")
        found = read(home, candidate, None if other == NONE else other)
        if found is not None:
            yield found


def _path(candidate: str, production: str | None) -> str:
    return f"{FOLDER}/{candidate}/{production or NONE}.json"
