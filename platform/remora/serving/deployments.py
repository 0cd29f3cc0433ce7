"""The phases of the graph, each a deployment that is scaled by itself."""

from __future__ import annotations

from dataclasses import replace

from ray import serve

from remora.core.errors import NotReady
from remora.pipeline import Pipeline, PipelineState, Query, Slate
from remora.pipeline.live_rows import known_query
from remora.serving.explanation import Explanation, explain
from remora.serving.loaded_bundle import Loader
from remora.serving.replica import Replica
from remora.serving.stage_request import StageRequest


@serve.deployment(name="Retriever")
class RetrieverReplica(Replica):
    """First phase: who asks, and candidates; of the graph it alone knows users."""

    def __init__(self, loader: Loader) -> None:
        super().__init__(loader, with_users=True)

    async def retrieve(self, bundle: str, query: Query, catalogue: str = "") -> StageRequest:
        """The query hydrated, and its candidates."""
        asked = StageRequest(bundle=bundle, catalogue=catalogue, state=PipelineState(query=query))
        pipeline, request = _continued(self, asked)
        state = await self.threads.do(lambda: pipeline.retrieve(pipeline.hydrate(request.state.query)))
        return replace(request, state=state)

    async def explain(self, bundle: str, query: Query, row: int, catalogue: str = "") -> Explanation:
        """The query replayed for one item, all phases here. NotReady for a new item while this replica has others."""
        loaded = self.bundles.active.of(bundle)
        if catalogue != loaded.catalogue:
            live_from = loaded.context.vocabulary.live_from
            if row >= live_from:
                raise NotReady("the item is new, and a phase is about to hear of it")
            query = known_query(query, live_from)
        return await self.threads.do(explain, loaded, query, row)


@serve.deployment(name="Filter")
class FilterReplica(Replica):
    """Second phase: rules, and the backfill when they leave too little."""

    async def filter(self, request: StageRequest) -> StageRequest:
        """The candidates that may be shown."""
        pipeline, request = _continued(self, request)
        return replace(request, state=await self.threads.do(pipeline.filter, request.state))


@serve.deployment(name="Ranker")
class RankerReplica(Replica):
    """Third phase: item features in memory, the trees, the rerankers."""

    async def rank(self, request: StageRequest) -> Slate:
        """The slate."""
        pipeline, request = _continued(self, request)
        return await self.threads.do(pipeline.rank, request.state)


def _continued(replica: Replica, request: StageRequest) -> tuple[Pipeline, StageRequest]:
    """What continues with a request, and the request as far as it is known here."""
    loaded = replica.bundles.active.meant(request)
    known = request.known_to(loaded)
    return known.pipeline(loaded), known
