"""The deployment that scores, reorders and cuts."""

from __future__ import annotations

from ray import serve

from remora.pipeline import Slate
from remora.serving.phases import Errand
from remora.serving.worker import Worker


@serve.deployment
class Ranker(Worker):
    """Third phase of the graph: item features in memory, the trees, the rerankers."""

    async def rank(self, errand: Errand) -> Slate:
        """The slate."""
        return await self.threads.do(self.releases.now.meant(errand).rank, errand)
