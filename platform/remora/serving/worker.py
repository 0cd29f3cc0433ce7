"""What every deployment is made of: the phases of a release, and threads to run them in."""

from __future__ import annotations

from remora.contracts.errors import NotReady
from remora.features.cached_users import CachedUsers
from remora.serving.autoscaling import LATE
from remora.serving.meters import Meters
from remora.serving.phases import Phases
from remora.serving.rehearsal import probe, rehearse
from remora.serving.release import Loader
from remora.serving.stage_threads import StageThreads

LATE_AFTER = 0.25
"""Of a request's time: what waits longer for a thread of a replica starts late."""

HANGS_AFTER_SECONDS = 10.0
"""A thread that does the same piece of work for longer will not come back."""


class Worker:
    """Given to requests after a rehearsal, and healthy while a rehearsed one comes through the stages."""

    def __init__(self, loader: Loader, *, asks_for_users: bool = False) -> None:
        release, limits = loader.release(), loader.settings.serving
        self.meters, users = Meters(), None
        if asks_for_users:
            users = CachedUsers(
                loader.users(release), most=limits.remembered_users, seconds=limits.remembered_user_seconds
            )
            for cache in (users.cache, release.parts.encoder.cache):
                cache.listener = self.meters.looked_up
        self.phases = Phases(release, users)
        self.threads = StageThreads(limits.threads, LATE_AFTER * limits.timeout_ms / 1e3)
        self.threads.wait_for(rehearse, self.phases, within_ms=limits.timeout_ms)
        self._probe, self._prober = probe(release), StageThreads(1)

    def record_autoscaling_stats(self) -> dict[str, float]:
        """What Serve asks for every few seconds and hands to the autoscaling policy."""
        return {LATE: self.threads.waits.late_share()}

    async def check_health(self) -> None:
        """Fail when a thread hangs or the stages break; the store of users is not asked, as it may be out.

        The probe has a thread of its own: behind the requests of a full replica it would be late, and the replica be
        taken for broken when it is needed most.
        """
        if (seconds := self.threads.longest_seconds()) > HANGS_AFTER_SECONDS:
            raise NotReady(f"a thread has been at the same piece of work for {seconds:.0f} s")
        await self._prober.do(self.phases.run, self._probe)
