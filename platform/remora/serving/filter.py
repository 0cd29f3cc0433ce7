"""The deployment that keeps what may be shown."""

from __future__ import annotations

from ray import serve

from remora.serving.phases import Errand, Phases
from remora.serving.release import Loader
from remora.serving.stage_threads import StageThreads


@serve.deployment
class Filter:
    """Second phase of the graph: rules, and the backfill when they leave too little."""

    def __init__(self, loader: Loader) -> None:
        self._phases = Phases(loader.release())
        self._threads = StageThreads(loader.settings.serving.threads)

    async def filter(self, errand: Errand) -> Errand:
        """The candidates that may be shown."""
        return await self._threads.do(self._phases.filter, errand)

    async def check_health(self) -> None:
        """Fail when the threads hang."""
        await self._threads.probe()
