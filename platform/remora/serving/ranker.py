"""The deployment that scores, reorders and cuts."""

from __future__ import annotations

from ray import serve

from remora.pipeline import Slate
from remora.serving.phases import Errand, Phases
from remora.serving.release import Loader
from remora.serving.stage_threads import StageThreads


@serve.deployment
class Ranker:
    """Third phase of the graph: item features in memory, the trees, the rerankers."""

    def __init__(self, loader: Loader) -> None:
        self._phases = Phases(loader.release())
        self._threads = StageThreads(loader.settings.serving.threads)

    async def rank(self, errand: Errand) -> Slate:
        """The slate."""
        return await self._threads.do(self._phases.rank, errand)

    async def check_health(self) -> None:
        """Fail when the threads hang."""
        await self._threads.probe()
