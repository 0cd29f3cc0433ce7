"""The training of one model on Ray Train: where its checkpoints lie, what it may use, and who hears how it goes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from remora.core.home import Home
from remora.fitting.progress import Report

RANKING = "ranking"
"""What the runs of ranking models are called, before their version."""


@dataclass(frozen=True, kw_only=True)
class TrainingRun:
    """A run of Ray Train under ``version``, of a model or of a part of it.

    A run of the same version that was cut off is continued. ``max_failures`` counts how often a lost worker is
    replaced. ``on_report`` gets the part, such as an objective, and what the first worker reported of it.
    """

    home: Home
    version: str
    workers: int = 1
    max_failures: int = 0
    on_report: Callable[[str, Report], None] = lambda part, values: None

    def part(self, name: str) -> TrainingRun:
        """A run of its own for a part of the model."""
        return replace(self, version=f"{self.version}-{name}", on_report=lambda _, values: self.on_report(name, values))

    def report(self, values: Report) -> None:
        """Say how it goes: numbers by name, with the ``round`` or the ``epoch`` among them."""
        self.on_report("", values)
