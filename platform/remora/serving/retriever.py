"""The deployment that finds out who asks and gathers candidates."""

from __future__ import annotations

from ray import serve

from remora.pipeline import Query
from remora.serving.phases import Errand
from remora.serving.release import Loader
from remora.serving.why import Why, why
from remora.serving.worker import Worker


@serve.deployment
class Retriever(Worker):
    """First phase of the graph: user, encoder, index, co-visitation."""

    def __init__(self, loader: Loader) -> None:
        super().__init__(loader, asks_for_users=True)

    async def retrieve(self, bundle: str, query: Query) -> Errand:
        """Candidates for the query."""
        return await self.threads.do(self.releases.now.of(bundle).retrieve, bundle, query)

    async def why(self, bundle: str, query: Query, row: int) -> Why:
        """The query replayed for one item, all phases here: only this deployment knows users."""
        return await self.threads.do(why, self.releases.now.of(bundle), query, row)
