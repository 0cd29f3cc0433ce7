"""Where a bundle comes from: enough to make it again."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field


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
    cuts: dict[str, datetime] = Field({}, description="end of each window of time")
    seeds: dict[str, int] = Field({}, description="what was trained -> seed")
    runs: dict[str, str] = Field({}, description="what was trained -> MLflow run id")
    remora: str = Field(description="version of the package")
    code: str = Field("", description="commit of the checkout, when known")
