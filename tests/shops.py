"""A home with everything built, and how each step ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from remora.settings import Settings
    from remora.workflow.path import StepResult


@dataclass(frozen=True, kw_only=True)
class Shop:
    """What the tests of the whole path and of releases share."""

    settings: Settings
    steps: dict[str, StepResult]
