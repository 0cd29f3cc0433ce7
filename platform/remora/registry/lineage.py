"""Where a bundle comes from: enough to make it again."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field


class ViewOfRows(BaseModel):
    """What one feature view gave to the rows; ``leaks``: rows that a join without time would have told the future."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    fingerprint: str
    rows: int
    matched: int
    unmatched: int
    expired: int
    leaks: int


class TrainingRows(BaseModel):
    """The report of the point-in-time join that made the ranker's rows, without its clock.

    ``fingerprint`` is of the entity rows, each view's of its source; times are ISO 8601 in UTC.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    rows_in: int
    rows_out: int
    earliest: str | None
    latest: str | None
    future: int
    fingerprint: str
    known_time: str
    views: dict[str, ViewOfRows]


class BuiltWith(BaseModel):
    """A component of a bundle's settings, and the package that it came from; empty for a module of no package."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    name: str
    package: str
    version: str


class Lineage(BaseModel):
    """Part of the bundle's identity, so nothing in it may change when the same bundle is made again (no clock)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dataset: str = Field(description="the settings' name")
    artifacts: dict[str, str] = Field(description="artifact -> version: lake, features, retrieval, ranking, …")
    feature_services: dict[str, str] = Field(description="Feast feature service -> hash of its columns and types")
    events: int
    users: int
    items: int
    first_event: datetime
    last_event: datetime
    split: dict[str, datetime] = Field({}, description="end of each window of time")
    seeds: dict[str, int] = Field({}, description="what was trained -> seed")
    rows: dict[str, TrainingRows] = Field({}, description="window -> report of the join of the ranker's rows")
    runs: dict[str, str] = Field({}, description="what was trained -> MLflow run id")
    components: tuple[BuiltWith, ...] = Field((), description="what the bundle's settings name")
    remora: str = Field(description="version of the package")
    code: str = Field("", description="commit of the checkout, when known")
