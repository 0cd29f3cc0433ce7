"""The deployment that finds out who asks and gathers candidates."""

from __future__ import annotations

from ray import serve

from remora.pipeline import Query
from remora.serving.explanation import Explanation, explain
from remora.serving.loaded_bundle import Loader
from remora.serving.phases import Errand
from remora.serving.replica import Replica


@serve.deployment(name="Retriever")
class RetrieverReplica(Replica):
    """First phase of the graph: user, encoder, index, co-visitation."""

    def __init__(self, loader: Loader) -> None:
        super().__init__(loader, asks_for_users=True)

    async def retrieve(self, bundle: str, query: Query) -> Errand:
        """Candidates for the query."""
        return await self.threads.do(self.bundles.active.of(bundle).retrieve, bundle, query)

    async def explain(self, bundle: str, query: Query, row: int) -> Explanation:
        """The query replayed for one item, all phases here: only this deployment knows users."""
        return await self.threads.do(explain, self.bundles.active.of(bundle), query, row)
