"""The phases of the graph, each a deployment that is scaled by itself."""

from __future__ import annotations

from dataclasses import replace

from ray import serve

from remora.pipeline import Pipeline, Query, Slate
from remora.serving.explanation import Explanation, explain
from remora.serving.loaded_bundle import Loader
from remora.serving.replica import Replica
from remora.serving.stage_request import StageRequest


@serve.deployment(name="Retriever")
class RetrieverReplica(Replica):
    """First phase: who asks, and candidates; of the graph it alone knows users."""

    def __init__(self, loader: Loader) -> None:
        super().__init__(loader, with_users=True)

    async def retrieve(self, bundle: str, query: Query) -> StageRequest:
        """The query hydrated, and its candidates."""
        pipeline = self.bundles.active.of(bundle).surfaces[query.surface]
        state = await self.threads.do(lambda: pipeline.retrieve(pipeline.hydrate(query)))
        return StageRequest(bundle=bundle, state=state)

    async def explain(self, bundle: str, query: Query, row: int) -> Explanation:
        """The query replayed for one item, all phases here."""
        return await self.threads.do(explain, self.bundles.active.of(bundle), query, row)


@serve.deployment(name="Filter")
class FilterReplica(Replica):
    """Second phase: rules, and the backfill when they leave too little."""

    async def filter(self, request: StageRequest) -> StageRequest:
        """The candidates that may be shown."""
        state = await self.threads.do(_pipeline(self, request).filter, request.state)
        return replace(request, state=state)


@serve.deployment(name="Ranker")
class RankerReplica(Replica):
    """Third phase: item features in memory, the trees, the rerankers."""

    async def rank(self, request: StageRequest) -> Slate:
        """The slate."""
        return await self.threads.do(_pipeline(self, request).rank, request.state)


def _pipeline(replica: Replica, request: StageRequest) -> Pipeline:
    return replica.bundles.active.meant(request).surfaces[request.state.query.surface]
