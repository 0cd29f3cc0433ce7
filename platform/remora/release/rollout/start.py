"""Beginning a rollout, and being the one who carries it out."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import datetime

from remora.core.errors import NotBuilt, NotReady, Refused
from remora.core.home import Home
from remora.core.locks import exclusive_lock
from remora.registry.bundles import Bundles
from remora.registry.tracking import tracking_uri
from remora.release.rollout.plan import Plan
from remora.release.rollout.state import CONTROLLER, Rollout, Rollouts
from remora.settings import Settings


@contextlib.contextmanager
def controller_lock(settings: Settings) -> Iterator[None]:
    """Be the home's only controller; NotReady while another one lives. A home on S3 needs a database for that."""
    home, database = Home(settings.home), settings.registry.lock_url or tracking_uri(settings)
    another = NotReady(
        "Another controller carries out a rollout of this home. `remora rollout status` shows it, and it hears "
        "`remora rollout pause`, `resume` and `abort`."
    )
    with exclusive_lock(home, CONTROLLER, database, command="remora rollout", on_busy=lambda: another):
        yield


def start_rollout(bundles: Bundles, *, bundle: str, plan: Plan, by: str, why: str, now: datetime) -> Rollout:
    """Write down a new rollout, which a controller then carries out; needs the controller's lock.

    ``bundle`` is an id or an alias. Refused while another rollout has not ended, and for what is in production.
    """
    rollouts = Rollouts(bundles.home)
    with contextlib.suppress(NotBuilt):
        before = rollouts.current()
        if not before.status.ended:
            raise Refused(
                f"Rollout {before.id} of bundle {before.bundle} is {before.status} at {before.stage_name}; there is "
                f"one at a time. Continue with `remora rollout resume`, or end it with `remora rollout abort`."
            )
    id, traffic = bundles.open(bundle).id, bundles.traffic()
    if id == traffic.production:
        raise Refused(f"Bundle {id} is in production already: there is nothing to roll out.")
    rollout = Rollout(
        id=f"{now:%Y%m%dT%H%M%S}-{id[:8]}",
        bundle=id,
        production=traffic.production,
        previous=traffic.previous,
        plan=str(plan),
        by=by,
        why=why,
        started_at=now,
    )
    return rollouts.begin(rollout.with_entry(now, "started", (why,) if why else (), by))
