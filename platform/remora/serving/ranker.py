"""The deployment that scores, reorders and cuts."""

from __future__ import annotations

from ray import serve

from remora.pipeline import Slate
from remora.serving.phases import Errand
from remora.serving.replica import Replica


@serve.deployment(name="Ranker")
class RankerReplica(Replica):
    """Third phase of the graph: item features in memory, the trees, the rerankers."""

    async def rank(self, errand: Errand) -> Slate:
        """The slate."""
        return await self.threads.do(self.bundles.active.meant(errand).rank, errand)
