"""What the deployments of the graph pass on: a request between two phases, and the bundle that its rows are of."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from remora.core.errors import NotReady
from remora.pipeline import Pipeline, PipelineState
from remora.pipeline.live_rows import known_state

if TYPE_CHECKING:
    from remora.serving.loaded_bundle import LoadedBundle


@dataclass(frozen=True, kw_only=True, slots=True)
class StageRequest:
    """A request on its way between phases: rows of ``state`` mean items of ``bundle``, and behind these those that the
    digest ``catalogue`` stands for."""

    bundle: str
    state: PipelineState
    catalogue: str = ""

    def known_to(self, loaded: LoadedBundle) -> StageRequest:
        """The same for a phase that holds ``loaded``. Where that has other new items, for replicas hear of them at
        slightly different instants, the request continues without any: no row is taken for another item."""
        if self.catalogue == loaded.catalogue:
            return self
        return replace(self, catalogue="", state=known_state(self.state, loaded.context.vocabulary.live_from))

    def pipeline(self, loaded: LoadedBundle) -> Pipeline:
        """What continues with it, once it is known to ``loaded``."""
        pipeline = loaded.surfaces[self.state.query.surface]
        return pipeline if self.catalogue == loaded.catalogue else pipeline.without_live_items()


class BundleMismatch(NotReady):
    """A phase was asked to continue with rows of another bundle than its own, as happens while one replaces another."""

    def __init__(self, asked: str, here: str) -> None:
        super().__init__(asked, here)

    def __str__(self) -> str:
        """Name both bundles."""
        asked, here = self.args
        return f"the request is of bundle {asked}, this replica serves {here}"
