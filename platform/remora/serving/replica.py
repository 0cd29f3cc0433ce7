"""What every deployment is made of: the bundles that it holds, and threads to run their phases in."""

from __future__ import annotations

import gc
import logging

from ray import serve

from remora.control.replica_status import ReplicaStatus, RequestStats, ShadowStats
from remora.core.errors import NotReady
from remora.pipeline import Query
from remora.registry.unrecorded import UnrecordedMove
from remora.serving.autoscaling import LATE
from remora.serving.bundle_follower import BundleFollower
from remora.serving.item_follower import ItemFollower
from remora.serving.loaded_bundle import LoadedBundle, Loader
from remora.serving.metrics import ServingMetrics
from remora.serving.stage_pool import StagePool
from remora.serving.warmup import warm_up
from remora.surfaces.warmup_queries import probe

LATE_AFTER = 0.25
"""Of a request's time: what waits longer for a thread of a replica starts late."""

HANGS_AFTER_SECONDS = 10.0
"""A thread that does the same piece of work for longer will not come back."""

QUIET_LOOKS = 10
"""A replica reports at every look while something is tried, else at every so many."""


logger = logging.getLogger(__name__)


class Replica:
    """Takes requests after its warm-up, and is healthy while a warm-up query comes through the stages."""

    def __init__(self, loader: Loader, *, with_users: bool = False) -> None:
        limits = loader.settings.serving
        self._loader, self._with_users, self.metrics = loader, with_users, ServingMetrics()
        self.threads = StagePool(limits.threads, LATE_AFTER * limits.timeout_ms / 1e3)
        self._prober, self._probed = StagePool(1), dict[str, Query]()
        self._heartbeat = self._quiet = 0
        self._unrecorded: set[UnrecordedMove] = set()
        self.bundles = self.threads.wait_for(BundleFollower, loader.traffic, self._opened, loader.first_traffic)
        self._items = ItemFollower(loader.items, self.bundles)
        follows_items = self.threads.wait_for(self._items.begin)
        self._settle()
        self._see_unrecorded()
        self._show_standing()
        if loader.follows:
            self.bundles.run(limits.traffic_poll_seconds, self._looked)
        if follows_items:
            self._items.run()

    def _opened(self, bundle: str) -> LoadedBundle:
        """A bundle, loaded and warmed up."""
        with self._loader.opening(bundle):
            loaded = LoadedBundle.load(self._loader, bundle, with_users=self._with_users)
            if self._with_users:
                for cache in loaded.caches:
                    cache.listener = self.metrics.looked_up
            warm_up(loaded, within_ms=self._loader.settings.serving.timeout_ms)
            return loaded

    def record_autoscaling_stats(self) -> dict[str, float]:
        """What Serve asks for every few seconds and hands to the autoscaling policy."""
        return {LATE: self.threads.waits.late_share()}

    async def check_health(self) -> None:
        """NotReady when a thread hangs, the error itself when the stages break.

        The store of users is not asked, as it may be out. The probe has a thread of its own: behind the requests of
        a full replica it would be late, and the replica be taken for broken when it is needed most.
        """
        if (seconds := self.threads.longest_seconds()) > HANGS_AFTER_SECONDS:
            raise NotReady(f"a thread has been at the same piece of work for {seconds:.0f} s")
        loaded = self.bundles.active.production
        if loaded.bundle not in self._probed:
            self._probed = {loaded.bundle: probe(loaded.opened)}
        await self._prober.do(loaded.run, self._probed[loaded.bundle])

    def _looked(self, changed: bool) -> None:
        """Report, at once where something changed or is being tried, now and then else."""
        if self._settled != set(self.bundles.active.loaded):
            self._settle()
        traffic = self.bundles.active.traffic
        tried = traffic.canary is not None or traffic.shadow is not None or bool(traffic.loading)
        self._quiet += 1
        if changed or tried or self._quiet >= QUIET_LOOKS:
            self._quiet = 0
            self._heartbeat += 1
            self._see_unrecorded()
            self._loader.report(self._report())
        self._show_standing()  # at every look: Ray's exporter forgets a gauge that is not set again

    def _settle(self) -> None:
        """Take what stays in memory out of garbage collections, after one that drops what loading and the bundles
        before have left.

        A replica holds some million objects. Python goes through them all whenever requests have made enough objects
        of their own, and nothing is answered meanwhile.
        """
        gc.unfreeze()
        gc.collect()
        gc.freeze()
        self._settled = set(self.bundles.active.loaded)

    def _see_unrecorded(self) -> None:
        """Look for aliases that were moved without a promotion record, and log one when it is first seen."""
        found = set(self._loader.unrecorded_moves())
        for move in found - self._unrecorded:
            logger.warning(move.message)
        self._unrecorded = found

    def _show_standing(self) -> None:
        bundles, unrecorded = self.bundles, len(self._unrecorded)
        refused = len(bundles.load_errors) + bool(bundles.damage)
        self.metrics.standing(ready=bundles.is_current, refused=refused, unrecorded=unrecorded)
        vocabulary, items = bundles.active.production.context.vocabulary, self._items.stats
        self.metrics.items(
            live=len(vocabulary) - vocabulary.live_from, followed=items.follows, lag_seconds=self._item_lag()
        )

    def _item_lag(self) -> float | None:
        """From when the last item was sent to when it was swapped in; None before one was."""
        items = self._items.stats
        if items.sent is None or items.swapped is None:
            return None
        return (items.swapped - items.sent).total_seconds()

    def _report(self) -> ReplicaStatus:
        context, now = serve.get_replica_context(), self.bundles.active
        return ReplicaStatus(
            replica=context.replica_id.unique_id,
            deployment=context.deployment,
            heartbeat=self._heartbeat,
            revision=now.traffic.revision,
            ready=tuple(now.loaded),
            refused=dict(self.bundles.load_errors),
            answers=self._answers(),
            shadowed=self._shadowed(),
        )

    def _answers(self) -> dict[str, RequestStats]:
        return {}

    def _shadowed(self) -> dict[str, ShadowStats]:
        return {}
