"""Between the deployments of the graph a request is hydrated once, and never continued by another bundle."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from tests.serving.small_shop import INSTANT, SmallShop, regulars

from remora.control.traffic import Traffic
from remora.core.errors import NotReady
from remora.pipeline import Hydrator, PipelineState, Query, StageContext
from remora.serving.bundle_follower import ActiveTraffic
from remora.serving.stage_request import BundleMismatch, StageRequest


@dataclass(frozen=True)
class WatchedShop(SmallShop):
    """Notes whom its users were asked for."""

    asked: list[str | None] = field(default_factory=list)

    def users(self, context: StageContext) -> Hydrator:
        return Watched(self.asked)


@dataclass(frozen=True)
class Watched:
    asked: list[str | None]

    def hydrate(self, query: Query) -> Query:
        self.asked.append(query.user_id)
        return regulars().hydrate(query)


def query(user: str | None = "u3") -> Query:
    return Query(request_id="r", surface="home_feed", n=5, instant=INSTANT, user_id=user)


def passed_on(state: PipelineState) -> PipelineState:
    request = pickle.loads(pickle.dumps(StageRequest(bundle="small", state=state)))
    assert request.bundle == "small"
    found: PipelineState = request.state
    return found


def test_phases_in_other_processes_give_the_slate_of_one_run_and_the_first_alone_asks_for_the_user() -> None:
    shop = WatchedShop()
    first, second, third = (shop.load(with_users=place == 0).surfaces["home_feed"] for place in range(3))
    state = passed_on(first.retrieve(first.hydrate(query())))
    slate = third.rank(passed_on(second.filter(state)))
    assert shop.asked == ["u3"]
    whole = shop.load().run(query())
    assert slate.candidates.rows.tolist() == whole.candidates.rows.tolist()
    np.testing.assert_array_equal(slate.candidates.scores, whole.candidates.scores)
    assert (slate.counts, slate.degraded) == (whole.counts, whole.degraded)
    assert slate.timings_ms.keys() == whole.timings_ms.keys()


def test_an_anonymous_visitor_is_not_asked_for() -> None:
    shop = WatchedShop()
    state = shop.load().surfaces["home_feed"].hydrate(query(None))
    assert (shop.asked, state.degraded, state.query.user_found) == ([], (), False)


def test_a_request_is_continued_by_its_own_bundle_alone() -> None:
    loaded = SmallShop().load()
    now = ActiveTraffic(traffic=Traffic(production="small"), loaded={"small": loaded})
    request = StageRequest(bundle="small", state=PipelineState(query=query()))
    assert now.meant(request) is loaded
    with pytest.raises(BundleMismatch, match="of bundle newer, this replica serves small"):
        now.meant(replace(request, bundle="newer"))
    with pytest.raises(NotReady, match="a phase handed on bytes in place of a request"):
        now.meant(b"\x00garbage")


def test_the_error_crosses_process_borders() -> None:
    error = pickle.loads(pickle.dumps(BundleMismatch("a", "b")))
    assert str(error) == "the request is of bundle a, this replica serves b"
