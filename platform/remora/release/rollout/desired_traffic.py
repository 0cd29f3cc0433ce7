"""The traffic that a rollout wants, from where it stands alone, so that it can be activated repeatedly."""

from __future__ import annotations

from remora.control.traffic import Canary, Traffic
from remora.release.rollout.plan import SHARED, StepKind
from remora.release.rollout.state import LOAD, Rollout, Status


def desired_traffic(now: Traffic, rollout: Rollout) -> Traffic:
    """What shall be active, given what is.

    Whoever else is made production in the meantime ends the rollout: the candidate then gets nothing.
    """
    here = _alone(now, rollout)
    if rollout.status is Status.ROLLING_BACK or rollout.status.ended or now.production != rollout.production:
        return here
    if rollout.stage == LOAD:
        return here.model_copy(update={"loading": (*here.loading, rollout.bundle)})
    step = rollout.step
    if step is not None and step.kind is StepKind.SHADOW:
        return here.model_copy(update={"shadow": rollout.bundle})
    if step is not None and step.kind in SHARED:
        canary = Canary(bundle=rollout.bundle, share=step.share, salt=rollout.id)
        return here.model_copy(update={"canary": canary})
    return here


def _alone(now: Traffic, rollout: Rollout) -> Traffic:
    """Production without canary and shadow, and the candidate nowhere but where it is production.

    When a candidate that was production is rolled back, what was kept warm before it is kept warm again.
    """
    previous = rollout.previous if now.previous == rollout.bundle != rollout.previous else now.previous
    loading = tuple(bundle for bundle in now.loading if bundle != rollout.bundle)
    alone = {"canary": None, "shadow": None, "loading": loading}
    if previous is not None and previous == now.production:
        previous = None
    return now.model_copy(update=alone | {"previous": previous})
