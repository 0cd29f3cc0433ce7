"""The deployment that keeps what may be shown."""

from __future__ import annotations

from ray import serve

from remora.serving.phases import Errand
from remora.serving.replica import Replica


@serve.deployment(name="Filter")
class FilterReplica(Replica):
    """Second phase of the graph: rules, and the backfill when they leave too little."""

    async def filter(self, errand: Errand) -> Errand:
        """The candidates that may be shown."""
        return await self.threads.do(self.bundles.active.meant(errand).filter, errand)
