"""The deployment that finds out who asks and gathers candidates."""

from __future__ import annotations

from ray import serve

from remora.pipeline import Query
from remora.serving.phases import Errand, Phases
from remora.serving.release import Loader
from remora.serving.stage_threads import StageThreads


@serve.deployment
class Retriever:
    """First phase of the graph: user, encoder, index, co-visitation."""

    def __init__(self, loader: Loader) -> None:
        release = loader.release()
        self._phases = Phases(release, loader.users(release))
        self._threads = StageThreads(loader.settings.serving.threads)

    async def retrieve(self, bundle: str, query: Query) -> Errand:
        """Candidates for the query."""
        return await self._threads.do(self._phases.retrieve, bundle, query)

    async def check_health(self) -> None:
        """Fail when the threads hang."""
        await self._threads.probe()
