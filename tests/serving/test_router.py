"""Every request is answered by one bundle, that which its user is assigned; result is counted by bundle."""

from __future__ import annotations

import asyncio
import gc
import math
import weakref
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from tests.serving.small_shop import USERS, SmallShop, settings

from remora.control.replica_status import LATENCY_BOUNDS_MS, RequestStats, ShadowStats
from remora.control.traffic import Canary, Traffic
from remora.core.errors import NotReady
from remora.feedback.served_slate import ServedItem, ServedSlate, SlateSink
from remora.pipeline import Query, Slate
from remora.serving.bundle_follower import ActiveTraffic
from remora.serving.executors import Executor, FusedExecutor
from remora.serving.loaded_bundle import LoadedBundle
from remora.serving.metrics import ServingMetrics
from remora.serving.request_counters import ShadowCounter
from remora.serving.requests import RequestContext
from remora.serving.router import BundleRouter
from remora.serving.schemas import ExplainParameters, RecommendRequest, SimilarParameters
from remora.serving.shadow import Shadow
from remora.serving.stage_pool import StagePool
from remora.serving.stage_request import BundleMismatch
from remora.surfaces.responses import RecommendedItem, RecommendResponse

SHOP = SmallShop(settings(timeout_ms=60_000))


class Reversed:
    """The shop's taste, turned over."""

    def __init__(self, taste: Any) -> None:
        self.taste = taste

    def score(self, query: Query, candidates: Any) -> Any:
        return -self.taste.score(query, candidates)


def loaded(bundle: str, reverse: bool = False) -> LoadedBundle:
    found = SHOP.load(bundle)
    if reverse:
        reversing = replace(found.context, scorer=Reversed(found.context.scorer))
        found = LoadedBundle.of(reversing, bundle=bundle)
    return found


HELD = {"old": loaded("old"), "new": loaded("new", reverse=True)}


class Failing:
    """A way that raises."""

    name = "failing"

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def slate(self, query: Query) -> Slate:
        raise self.error

    async def why(self, query: Query, row: int) -> Any:
        raise self.error


def router(traffic: Traffic, failing: Mapping[str, Exception] = {}, sinks: Sequence[SlateSink] = ()) -> BundleRouter:
    threads = StagePool(1)

    def way(of: LoadedBundle) -> Executor:
        error = failing.get(of.bundle)
        return Failing(error) if error else FusedExecutor(of, threads)

    now = ActiveTraffic(traffic=traffic, loaded=HELD)
    limits, metrics = SHOP.settings.serving, ServingMetrics()
    return BundleRouter(lambda: now, way, limits, metrics, shadow=Shadow(way), sinks=sinks)


def ask(front: BundleRouter, users: tuple[str | None, ...], n: int = 5) -> list[RecommendResponse]:
    async def all_of_them() -> list[RecommendResponse]:
        answers = []
        for number, user in enumerate(users):
            answers.append(await front.recommend(RecommendRequest(user_id=user, n=n), RequestContext(f"r{number}")))
            if (compared := front._shadow._at_work) is not None:
                await compared
        front.flush()
        return answers

    return asyncio.run(all_of_them())


HALF = Canary(bundle="new", share=0.5, salt="s")


def test_a_user_gets_the_same_variant_each_time_and_the_answer_names_it() -> None:
    front = router(Traffic(production="old", canary=HALF))
    answers = ask(front, USERS * 3)
    for user, answer in zip(USERS * 3, answers, strict=True):
        assigned = ("new", "canary") if HALF.includes(user) else ("old", "production")
        assert (answer.bundle, answer.variant) == assigned
    assert {answer.bundle for answer in answers} == {"old", "new"}


def test_what_a_variant_shows_is_of_its_bundle_alone() -> None:
    canary = ask(router(Traffic(production="old", canary=Canary(bundle="new", share=1.0, salt="s"))), USERS)
    alone = ask(router(Traffic(production="new")), USERS)
    other = ask(router(Traffic(production="old")), USERS)
    items = [[[i.item_id for i in a.items] for a in answers] for answers in (canary, alone, other)]
    assert items[0] == items[1] != items[2]


def test_the_nameless_are_assigned_by_request() -> None:
    answers = ask(router(Traffic(production="old", canary=HALF)), (None,) * 40)
    assert {answer.variant for answer in answers} == {"production", "canary"}


def test_answers_are_counted_by_bundle() -> None:
    front = router(Traffic(production="old", canary=HALF))
    given = Counter(answer.bundle for answer in ask(front, USERS, n=60))
    counted = front.answers()
    assert {bundle: sums.requests for bundle, sums in counted.items()} == given
    for sums in counted.values():
        assert sum(sums.milliseconds) == sums.requests
        assert len(sums.milliseconds) == len(LATENCY_BOUNDS_MS) + 1
        assert sums.failed == sums.deadline_exceeded == 0
        assert sums.unscored > 0  # the shop's taste has no opinion of three items


@pytest.mark.parametrize(("error", "failed"), [(NotReady("gone"), 1), (ZeroDivisionError(), 1)])
def test_a_bundle_that_fails_is_counted_as_such(error: Exception, failed: int) -> None:
    front = router(Traffic(production="old"), {"old": error})
    if isinstance(error, NotReady):
        assert ask(front, ("u1",))[0].degraded == ["popular_fallback: gone"]
    else:
        with pytest.raises(ZeroDivisionError):
            ask(front, ("u1",))
    assert front.answers()["old"].failed == failed
    assert front.answers()["old"].requests == 1


def test_a_phase_without_the_bundle_is_made_up_for_by_another_bundle_whole() -> None:
    everybody = Canary(bundle="new", share=1.0, salt="s")
    front = router(Traffic(production="old", canary=everybody), {"new": BundleMismatch("new", "old")})
    answer = ask(front, ("u1",))[0]
    assert (answer.bundle, answer.variant, answer.degraded) == ("old", "production", [])
    assert "new" not in front.answers() or front.answers()["new"] == RequestStats()


def test_where_no_bundle_can_answer_the_popular_fallback_does() -> None:
    broken = {name: BundleMismatch(name, "another") for name in HELD}
    answer = ask(router(Traffic(production="new", previous="old"), broken), ("u1",))[0]
    assert answer.degraded == ["popular_fallback: the request is of bundle old, this replica serves another"]
    assert len(answer.items) == 5


def test_explanations_and_similar_items_are_of_the_users_bundle() -> None:
    front = router(Traffic(production="old", canary=HALF))
    for user in USERS:
        assigned = "new" if HALF.includes(user) else "old"
        asked = SimilarParameters(user_id=user)
        assert asyncio.run(front.similar("i30", asked, RequestContext("r"))).bundle == assigned
        assert (
            asyncio.run(front.explain(ExplainParameters().request(user, "i30"), RequestContext("r"))).bundle == assigned
        )


@pytest.mark.parametrize("score", [None, math.inf, -math.inf])
def test_a_score_that_is_none_is_counted_and_spoils_no_sum(score: float | None) -> None:
    items = [RecommendedItem(item_id=str(n), position=n, score=s, sources=[]) for n, s in ((1, 0.5), (2, score))]
    said = {"request_id": "r", "surface": "home_feed", "bundle": "b", "variant": "v", "timings_ms": {"total": 1.0}}
    response = RecommendResponse(items=items, degraded=[], **said)
    counter = ShadowCounter()
    counter.answers.answered(
        ServedSlate(
            **said,
            served_at=datetime.now(UTC),
            user_id=None,
            requested=2,
            items=tuple(ServedItem(item.item_id, item.position, item.score, 1.0, ()) for item in items),
            context={},
            degraded=(),
            fallback=False,
            counts={},
            within_ms=10.0,
        )
    )
    counter.compared(response, response)
    sums = counter.sums()
    for of in (sums.answers, sums.shown):
        assert (of.items, of.scores, of.squares) == (1, 0.5, 0.25)
    assert (sums.answers.unscored, sums.compared) == (1, 1)
    assert ShadowStats.model_validate_json(sums.model_dump_json()) == sums


def test_each_slate_goes_once_to_every_sink_after_its_answer_though_one_breaks() -> None:
    taken: list[ServedSlate] = []

    def broken(slate: ServedSlate) -> None:
        raise ZeroDivisionError

    front = router(Traffic(production="old", shadow="new"), sinks=(broken, taken.append))
    answers = ask(front, ("u1", "u2", None))
    assert [slate.request_id for slate in taken] == ["r0", "r1", "r2"]
    for slate, answer in zip(taken, answers, strict=True):
        assert [item.item_id for item in slate.items] == [item.item_id for item in answer.items]
        assert {item.propensity for item in slate.items} == {1.0}
        assert (slate.bundle, slate.variant, slate.fallback) == ("old", "production", False)
    assert [slate.user_id for slate in taken] == ["u1", "u2", None]
    assert sum(stats.requests for stats in front.answers().values()) == 3


def test_how_likely_a_slate_of_the_fallback_chain_was_is_not_known() -> None:
    taken: list[ServedSlate] = []
    ask(router(Traffic(production="old"), {"old": NotReady("out")}, sinks=(taken.append,)), ("u1",))
    assert (taken[0].fallback, {item.propensity for item in taken[0].items}) == (True, {None})


def test_recommenders_of_bundles_that_are_gone_are_let_go() -> None:
    held, kept = {**HELD, "older": loaded("older")}, []
    now = [ActiveTraffic(traffic=Traffic(production="older", previous="old"), loaded=held)]
    threads = StagePool(1)
    front = BundleRouter(
        lambda: now[0],
        lambda of: FusedExecutor(of, threads),
        SHOP.settings.serving,
        ServingMetrics(),
        shadow=Shadow(lambda of: FusedExecutor(of, threads)),
    )
    ask(front, ("u1",))
    kept.append(weakref.ref(held.pop("older")))
    now[0] = ActiveTraffic(traffic=Traffic(production="old"), loaded=HELD)
    ask(front, ("u1",))
    gc.collect()
    assert kept[0]() is None


class TestAShadow:
    def test_answers_what_was_answered_and_is_not_seen(self) -> None:
        front = router(Traffic(production="old", shadow="new"))
        answers = ask(front, USERS)
        assert {(answer.bundle, answer.variant) for answer in answers} == {("old", "production")}
        assert set(front.answers()) == {"old"}
        found = front.shadowed()["new"]
        assert found.compared == len(USERS)
        assert sum(found.answers.milliseconds) == sum(found.shown.milliseconds) == len(USERS)

    def test_overlap_and_scores_are_those_of_the_slates(self) -> None:
        shown = ask(router(Traffic(production="old")), USERS, n=20)
        instead = ask(router(Traffic(production="new")), USERS, n=20)
        front = router(Traffic(production="old", shadow="new"))
        ask(front, USERS, n=20)
        found = front.shadowed()["new"]
        overlap = sum(
            len({i.item_id for i in a.items} & {i.item_id for i in b.items}) / 20
            for a, b in zip(shown, instead, strict=True)
        )
        scores = np.array([i.score for a in instead for i in a.items if i.score is not None])
        assert found.overlap == pytest.approx(overlap)
        assert (found.answers.items, found.answers.scores) == (len(scores), pytest.approx(scores.sum()))
        assert found.answers.squares == pytest.approx((scores**2).sum())

    def test_that_is_the_same_bundle_overlaps_wholly(self) -> None:
        front = router(Traffic(production="old", shadow="old"))
        ask(front, USERS)
        found = front.shadowed()["old"]
        assert found.overlap == found.compared == len(USERS)
        assert found.answers.scores == found.shown.scores

    def test_that_breaks_is_counted_and_no_answer_shows_it(self, caplog: pytest.LogCaptureFixture) -> None:
        front = router(Traffic(production="old", shadow="new"), {"new": ZeroDivisionError()})
        assert all(answer.degraded == [] for answer in ask(front, USERS))
        assert front.shadowed()["new"].answers.failed == len(USERS)

    def test_that_is_busy_is_not_asked(self) -> None:
        front = router(Traffic(production="old", shadow="new"))

        async def at_once() -> None:
            asked = [front.recommend(RecommendRequest(user_id=user, n=5), RequestContext("r")) for user in USERS]
            await asyncio.gather(*asked)
            assert front._shadow._at_work is not None
            await front._shadow._at_work
            front.flush()

        asyncio.run(at_once())
        found = front.shadowed()["new"]
        assert found.compared + found.skipped == len(USERS)
        assert found.compared >= 1

    def test_does_not_follow_the_canary(self) -> None:
        everybody = Canary(bundle="new", share=1.0, salt="s")
        front = router(Traffic(production="old", canary=everybody, shadow="new"))
        ask(front, USERS)
        assert front.shadowed() == {}

    def test_is_measured_by_the_limits_that_a_running_replica_is_given(self) -> None:
        front = router(Traffic(production="old", shadow="new"))
        ask(front, USERS)
        front.limits = front.limits.model_copy(update={"timeout_ms": 50_000.0})
        ask(front, USERS)
        assert front._shadow._recommender is not None
        assert front._shadow._recommender.limits == front.limits
