"""What the deployments of the graph pass on: a request between two phases, and the bundle that its rows are of."""

from __future__ import annotations

from dataclasses import dataclass

from remora.core.errors import NotReady
from remora.pipeline import PipelineState


@dataclass(frozen=True, kw_only=True, slots=True)
class StageRequest:
    """A request on its way between phases: rows of ``state`` mean items of ``bundle``."""

    bundle: str
    state: PipelineState


class BundleMismatch(NotReady):
    """A phase was asked to continue with rows of another bundle than its own, as happens while one replaces another."""

    def __init__(self, asked: str, here: str) -> None:
        super().__init__(asked, here)

    def __str__(self) -> str:
        """Name both bundles."""
        asked, here = self.args
        return f"the request is of bundle {asked}, this replica serves {here}"
