"""The base of every section of the settings tree."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """Frozen, and a misspelt name is an error rather than a default."""

    model_config = ConfigDict(frozen=True, extra="forbid")
