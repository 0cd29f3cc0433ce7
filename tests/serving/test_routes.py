"""The HTTP API, asked over ASGI: what it answers, and that every bad input is a problem document."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from tests.serving.small_shop import N_ITEMS, UNAVAILABLE, SmallShop, regulars, settings

from remora.core.errors import NotReady
from remora.pipeline import Query, Slate
from remora.pipeline.deadline import Deadline
from remora.serving.bundle_follower import ActiveTraffic
from remora.serving.executors import Executor, FusedExecutor
from remora.serving.explanation import Explanation
from remora.serving.metrics import ServingMetrics
from remora.serving.requests import TIMEOUT
from remora.serving.router import BundleRouter
from remora.serving.routes import application
from remora.serving.shadow import Shadow
from remora.serving.stage_pool import StagePool

Ask = Callable[..., httpx.Response]


class Front(BundleRouter):
    """A router before one bundle, whose executor can be changed."""

    def __init__(self, shop: SmallShop, topology: Executor | None = None) -> None:
        loaded = shop.load()
        now = ActiveTraffic(traffic=shop.traffic(), loaded={shop.bundle: loaded})
        first = topology or FusedExecutor(loaded, StagePool(1))
        shadow = Shadow(lambda of: first)
        super().__init__(lambda: now, lambda of: first, shop.settings.serving, ServingMetrics(), shadow=shadow)
        self.recommender = self._recommender(now, shop.bundle)


def asking(front: Front) -> Ask:
    transport = httpx.ASGITransport(app=application(front), raise_app_exceptions=False)

    async def ask(method: str, path: str, **content: Any) -> httpx.Response:
        async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
            return await client.request(method, path, **content)

    return lambda *request, **content: asyncio.run(ask(*request, **content))


@pytest.fixture(scope="module")
def ask() -> Ask:
    return asking(Front(SmallShop(settings(max_body_bytes=8_000))))


class Stuck:
    """An executor that fails in a given way."""

    name = "stuck"

    def __init__(self, failure: Exception | None = None) -> None:
        self.failure = failure

    async def slate(self, query: Query) -> Slate:
        if self.failure is not None:
            raise self.failure
        await asyncio.Event().wait()
        raise AssertionError("nobody sets that event")

    async def explain(self, query: Query, row: int) -> Explanation:
        await self.slate(query)
        raise AssertionError("no way is out")


def assert_problem(response: httpx.Response, status: int, kind: str, says: str) -> None:
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert (response.status_code, problem["status"]) == (status, status)
    assert problem["type"] == f"urn:remora:problem:{kind}"
    assert says in problem["detail"]
    assert problem["title"]
    assert problem["instance"] == response.request.url.path


class TestASlate:
    def test_is_in_order_with_titles_sources_and_timings(self, ask: Ask) -> None:
        response = ask("POST", "/v1/recommend", json={"user_id": "u5", "n": 8})
        answer = response.json()
        assert response.status_code == 200
        assert {k: answer[k] for k in ("surface", "bundle", "variant", "degraded")} == {
            "surface": "home_feed",
            "bundle": "small",
            "variant": "production",
            "degraded": [],
        }
        assert [item["position"] for item in answer["items"]] == list(range(1, 9))
        assert all(item["sources"] for item in answer["items"])
        assert all(item["title"] == f"Thing {int(item['item_id'][1:])}" for item in answer["items"])
        assert {"user", "nearest_items", "seen_items", "taste", "total"} <= answer["timings_ms"].keys()

    def test_is_the_same_for_the_short_form(self, ask: Ask) -> None:
        long = ask("POST", "/v1/recommend", json={"user_id": "u5", "n": 8}).json()
        assert ask("GET", "/v1/recommend/u5", params={"n": 8}).json()["items"] == long["items"]

    def test_holds_nothing_seen_excluded_or_unavailable_and_is_as_long_as_it_can_be(self, ask: Ask) -> None:
        exclude = ["i01", "i02", "no such item"]
        items = ask("POST", "/v1/recommend", json={"user_id": "u9", "n": 100, "exclude": exclude}).json()["items"]
        seen = {f"i{row:02}" for row in regulars().histories["u9"]}
        gone = seen | {"i01", "i02"} | {f"i{row:02}" for row in UNAVAILABLE}
        assert {item["item_id"] for item in items} == {f"i{row:02}" for row in range(N_ITEMS)} - gone

    def test_has_null_for_the_score_of_an_unscored_item(self, ask: Ask) -> None:
        items = ask("POST", "/v1/recommend", json={"user_id": "u0", "n": 100}).json()["items"]
        unscored = [item["position"] for item in items if item["score"] is None]
        assert unscored == list(range(len(items) - len(unscored) + 1, len(items) + 1))
        assert {item["item_id"] for item in items if item["score"] is None} <= {"i00", "i01", "i02"}

    def test_for_an_unknown_user_is_full_and_says_why_it_is_not_personal(self, ask: Ask) -> None:
        answer = ask("GET", "/v1/recommend/nobody").json()
        assert len(answer["items"]) == 10
        assert answer["degraded"] == ["user_unknown: nothing is known of 'nobody', so the slate is not personal"]

    def test_for_a_visitor_without_a_name_is_that_of_an_unknown_user(self, ask: Ask) -> None:
        nameless = ask("POST", "/v1/recommend", json={"user_id": None}).json()
        assert nameless["items"] == ask("GET", "/v1/recommend/nobody").json()["items"]
        assert nameless["degraded"] == []

    def test_of_similar_items_leaves_out_the_seed(self, ask: Ask) -> None:
        answer = ask("GET", "/v1/similar/i20", params={"n": 59}).json()
        shown = [item["item_id"] for item in answer["items"]]
        assert answer["surface"] == "similar_items"
        assert len(shown) == N_ITEMS - 1 - len(UNAVAILABLE)
        assert "i20" not in shown
        body = {"user_id": "nobody", "n": 59, "surface": "similar_items", "context": {"seed_item_id": "i20"}}
        assert ask("POST", "/v1/recommend", json=body).json()["items"] == answer["items"]

    def test_of_similar_items_leaves_out_what_a_given_user_has_seen(self, ask: Ask) -> None:
        answer = ask("GET", "/v1/similar/i20", params={"n": 59, "user_id": "u9"}).json()
        assert not {item["item_id"] for item in answer["items"]} & {f"i{r:02}" for r in regulars().histories["u9"]}


class TestTheRequestId:
    def test_is_the_callers(self, ask: Ask) -> None:
        response = ask("GET", "/v1/recommend/u1", headers={"X-Request-Id": "mine-1"})
        assert response.json()["request_id"] == "mine-1"
        assert "x-request-id" not in response.headers  # Serve sends it back, see test_served.py

    @pytest.mark.parametrize("given", ["", "x" * 129, "two words"])
    def test_is_a_new_one_where_the_callers_cannot_be_used(self, ask: Ask, given: str) -> None:
        response = ask("GET", "/v1/recommend/u1", headers={"X-Request-Id": given})
        assert len(response.json()["request_id"]) == 36


class TestTheCallersTimeout:
    def test_ends_the_wait_and_is_what_the_answer_names(self) -> None:
        answer = asking(Front(SmallShop(), Stuck()))("GET", "/v1/recommend/u1", headers={TIMEOUT: "15"}).json()
        assert answer["degraded"] == ["popular_fallback: no slate within 15 ms"]
        assert len(answer["items"]) == 10

    def test_is_known_to_the_stages(self) -> None:
        seen: list[Query] = []

        class Watching(Stuck):
            async def slate(self, query: Query) -> Slate:
                seen.append(query)
                return await super().slate(query)

        before = Deadline.after(0.04).at
        asking(Front(SmallShop(), Watching(NotReady("x"))))("GET", "/v1/recommend/u1", headers={TIMEOUT: "80"})
        assert before <= seen[0].retrieval_deadline.at <= Deadline.after(0.04).at
        assert before + 0.024 <= seen[0].ranking_deadline.at <= Deadline.after(0.064).at

    def test_may_be_longer_than_what_others_get_and_is_never_longer_than_the_settings_allow(self) -> None:
        ask = asking(Front(SmallShop(settings(timeout_ms=5, max_timeout_ms=20)), Stuck()))
        answer = ask("GET", "/v1/recommend/u1", headers={TIMEOUT: "1e9"}).json()
        assert answer["degraded"] == ["popular_fallback: no slate within 20 ms"]

    @pytest.mark.parametrize("given", ["0", "-5"])
    def test_that_is_not_positive_is_refused(self, ask: Ask, given: str) -> None:
        response = ask("GET", "/v1/recommend/u1", headers={TIMEOUT: given})
        assert_problem(response, 422, "invalid-request", "/x-request-timeout-ms: Input should be greater than 0")

    @pytest.mark.parametrize("given", ["nan", "inf", "soon", ""])
    def test_that_is_no_number_is_refused(self, ask: Ask, given: str) -> None:
        response = ask("GET", "/v1/recommend/u1", headers={TIMEOUT: given})
        assert_problem(response, 422, "invalid-request", "/x-request-timeout-ms: Input should be a")


class TestBadInput:
    @pytest.mark.parametrize(
        ("body", "says"),
        [
            ({}, "/user_id"),
            ({"user_id": 7}, "/user_id"),
            ({"user_id": ""}, "/user_id"),
            ({"user_id": "u" * 300}, "/user_id"),
            ({"user_id": "u1", "n": 0}, "/n"),
            ({"user_id": "u1", "n": "ten"}, "/n"),
            ({"user_id": "u1", "n": "10"}, "/n"),
            ({"user_id": "u1", "n": 2.5}, "/n"),
            ({"user_id": "u1", "n": True}, "/n"),
            ({"user_id": "u1", "limit": 3}, "/limit"),
            ({"user_id": "u1", "exclude": "i01"}, "/exclude"),
            ({"user_id": "u1", "exclude": [3]}, "/exclude/0"),
            ({"user_id": "u1", "exclude": ["i"] * 1_001}, "/exclude"),
            ({"user_id": "u1", "context": {"deep": {"er": 1}}}, "/context/deep"),
            ({"user_id": "u1", "context": {"not a number": float("nan")}}, "/context/not a number"),
            ([1, 2], "The request"),
            ("text", "The request"),
        ],
    )
    def test_in_a_field_is_named_by_its_place(self, ask: Ask, body: object, says: str) -> None:
        content = json.dumps(body)
        response = ask("POST", "/v1/recommend", content=content, headers={"content-type": "application/json"})
        assert_problem(response, 422, "invalid-request", says)
        assert response.json()["errors"]

    @pytest.mark.parametrize(
        ("path", "place"),
        [
            ("/v1/recommend/u1?n=x", "/n"),
            ("/v1/recommend/u1?n=0", "/n"),
            ("/v1/recommend/u1?limit=3", "/limit"),
            ("/v1/explain/u1/i01?exclude=" + "&exclude=".join(["i02"] * 21), "/exclude"),
        ],
    )
    def test_in_a_parameter_is_named_by_its_location(self, ask: Ask, path: str, place: str) -> None:
        assert_problem(ask("GET", path), 422, "invalid-request", place)

    def test_that_asks_for_too_many_items_names_the_limit(self, ask: Ask) -> None:
        assert_problem(ask("GET", "/v1/recommend/u1?n=501"), 422, "invalid-request", "less than or equal to 500")
        stricter = asking(Front(SmallShop(settings(max_items=20))))
        assert_problem(stricter("GET", "/v1/recommend/u1?n=21"), 422, "invalid-request", "at most 20")

    def test_that_names_no_surface_names_those_there_are(self, ask: Ask) -> None:
        body = {"user_id": "u1", "surface": "checkout"}
        assert_problem(ask("POST", "/v1/recommend", json=body), 422, "invalid-request", "home_feed, similar_items")

    def test_that_asks_for_similar_items_without_a_seed_names_what_is_missing(self, ask: Ask) -> None:
        body = {"user_id": "u1", "surface": "similar_items"}
        assert_problem(ask("POST", "/v1/recommend", json=body), 422, "invalid-request", "context.seed_item_id")

    def test_that_names_an_unknown_item_is_not_found(self, ask: Ask) -> None:
        assert_problem(ask("GET", "/v1/similar/i99"), 404, "not-found", "'i99'")

    @pytest.mark.parametrize("body", [b"{", b"", b"\xff\xfe", b'{"user_id": NaN', b"nul"])
    def test_that_is_not_json_is_said_to_be_so(self, ask: Ask, body: bytes) -> None:
        response = ask("POST", "/v1/recommend", content=body, headers={"content-type": "application/json"})
        assert response.status_code in {400, 422}
        assert response.headers["content-type"] == "application/problem+json"

    @pytest.mark.parametrize("announced", [True, False])
    def test_that_is_too_large_is_refused_before_it_is_read(self, ask: Ask, announced: bool) -> None:
        async def pieces():
            for _ in range(100):
                yield b" " * 100

        content = b" " * 10_000 if announced else pieces()
        response = ask("POST", "/v1/recommend", content=content, headers={"content-type": "application/json"})
        assert_problem(response, 413, "request-entity-too-large", "8,000 bytes")

    def test_at_a_path_that_is_not_there(self, ask: Ask) -> None:
        assert_problem(ask("GET", "/v2/recommend"), 404, "not-found", "/docs")

    def test_with_a_method_that_is_not_answered(self, ask: Ask) -> None:
        response = ask("DELETE", "/v1/recommend")
        assert_problem(response, 405, "method-not-allowed", "DELETE")
        assert response.headers["allow"] == "POST"


class TestWhenSomethingFails:
    def test_a_closed_user_store_is_named_and_the_slate_is_full(self) -> None:
        answer = asking(Front(SmallShop(closed=True)))("GET", "/v1/recommend/u1").json()
        assert len(answer["items"]) == 10
        assert answer["degraded"] == ["user_store: the online store does not answer"]

    def test_popular_items_are_the_answer_when_nothing_else_works(self) -> None:
        shop = SmallShop()
        ask = asking(Front(shop, Stuck(NotReady("the retriever is gone"))))
        answer = ask("POST", "/v1/recommend", json={"user_id": "u1", "exclude": ["i00"]}).json()
        snapshot = shop.load().context.snapshot
        eligible = [r for r in range(1, N_ITEMS) if r not in UNAVAILABLE]
        best = sorted(eligible, key=lambda row: (-snapshot.popularity[row], row))[:10]
        assert [item["item_id"] for item in answer["items"]] == [f"i{row:02}" for row in best]
        assert answer["degraded"] == ["popular_fallback: the retriever is gone"]

    def test_what_is_popular_in_the_segment_of_the_context_comes_before_what_is_popular(self) -> None:
        ask = asking(Front(SmallShop(), Stuck(NotReady("gone"))))
        answer = ask("POST", "/v1/recommend", json={"user_id": "u1", "context": {"country": "at"}}).json()
        assert answer["degraded"] == ["popular_in_segment_fallback: gone"]
        first, rest = answer["items"][:3], answer["items"][3:]
        assert [item["item_id"] for item in first] == ["i59", "i58", "i57"]
        assert all(item["sources"] == ["popular_in_segment"] for item in first)
        assert len(rest) == 7
        elsewhere = ask("POST", "/v1/recommend", json={"user_id": "u1", "context": {"country": "tv"}}).json()
        unknown = "popular_in_segment: no segment of country is called 'tv'; there are: at"
        assert elsewhere["degraded"] == ["popular_fallback: gone", unknown]

    def test_a_visitor_gets_what_the_segment_of_the_context_wants_among_the_rest(self) -> None:
        ask = asking(Front(SmallShop()))
        body = {"user_id": None, "n": 60, "context": {"country": "at"}}
        found = {item["item_id"]: item["sources"] for item in ask("POST", "/v1/recommend", json=body).json()["items"]}
        assert all("popular_in_segment" in found[item] for item in ("i59", "i58", "i57"))

    def test_an_answer_that_takes_too_long_is_replaced_by_popular_items(self) -> None:
        ask = asking(Front(SmallShop(settings(timeout_ms=20)), Stuck()))
        answer = ask("GET", "/v1/recommend/u1").json()
        assert len(answer["items"]) == 10
        assert answer["degraded"] == ["popular_fallback: no slate within 20 ms"]

    def test_the_last_whole_slate_of_the_user_comes_before_popular_items(self) -> None:
        front = Front(SmallShop())
        ask, asked = asking(front), {"user_id": "u5", "n": 8}
        whole = ask("POST", "/v1/recommend", json=asked).json()["items"]
        front.recommender.executor = Stuck(NotReady("the retriever is gone"))
        answer = ask("POST", "/v1/recommend", json=asked).json()
        assert answer["degraded"] == ["cached_slate: the retriever is gone"]
        assert [item["item_id"] for item in answer["items"]] == [item["item_id"] for item in whole]
        assert all(item["score"] is None and item["sources"] == ["cached_slate"] for item in answer["items"])

    def test_a_cached_slate_is_filtered_and_filled_up_like_any_other(self) -> None:
        front = Front(SmallShop())
        ask = asking(front)
        whole = [i["item_id"] for i in ask("POST", "/v1/recommend", json={"user_id": "u5", "n": 8}).json()["items"]]
        front.recommender.executor = Stuck(NotReady("the retriever is gone"))
        answer = ask("POST", "/v1/recommend", json={"user_id": "u5", "n": 20, "exclude": whole[:3]}).json()
        shown = [item["item_id"] for item in answer["items"]]
        assert shown[:5] == whole[3:]
        assert len(set(shown)) == 20
        assert not set(shown) & {*whole[:3], *(f"i{row:02}" for row in UNAVAILABLE)}

    def test_a_slate_is_cached_for_its_user_and_surface_alone(self) -> None:
        front = Front(SmallShop())
        ask = asking(front)
        ask("GET", "/v1/recommend/u5")
        front.recommender.executor = Stuck(NotReady("gone"))
        for path in ("/v1/recommend/u6", "/v1/similar/i20?user_id=u5"):
            assert ask("GET", path).json()["degraded"] == ["popular_fallback: gone"]

    def test_a_slate_that_is_not_whole_is_not_cached(self) -> None:
        front = Front(SmallShop(closed=True))
        ask = asking(front)
        assert ask("GET", "/v1/recommend/u5").json()["degraded"]
        front.recommender.executor = Stuck(NotReady("gone"))
        assert ask("GET", "/v1/recommend/u5").json()["degraded"] == ["popular_fallback: gone"]

    def test_no_more_slates_are_cached_than_the_settings_say(self) -> None:
        front = Front(SmallShop(settings(slate_cache_size=2)))
        ask = asking(front)
        for user in ("u1", "u2", "u3"):
            ask("GET", f"/v1/recommend/{user}")
        front.recommender.executor = Stuck(NotReady("gone"))
        said = {user: ask("GET", f"/v1/recommend/{user}").json()["degraded"][0] for user in ("u1", "u2", "u3")}
        assert said == {
            "u1": "popular_fallback: gone",
            "u2": "cached_slate: gone",
            "u3": "cached_slate: gone",
        }

    def test_a_bug_is_not_hidden_behind_popular_items(self) -> None:
        response = asking(Front(SmallShop(), Stuck(ZeroDivisionError())))("GET", "/v1/recommend/u1")
        assert_problem(response, 500, "internal-error", "log")

    def test_a_bug_is_one_line_and_its_trace_in_the_log_and_names_no_user(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        asking(Front(SmallShop(), Stuck(ZeroDivisionError())))("GET", "/v1/recommend/ann-smith")
        logged = [record for record in caplog.records if record.name.startswith("remora")]
        assert [record.getMessage() for record in logged] == ["GET /v1/recommend/{user_id} failed"]
        assert "ann-smith" not in caplog.text

    def test_bad_input_is_not_in_the_log(self, ask: Ask, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level("INFO", logger="remora"):
            ask("POST", "/v1/recommend", json={"user_id": "ann-smith", "n": 0})
            ask("POST", "/v1/recommend", content=b"{", headers={"content-type": "application/json"})
        assert [record for record in caplog.records if record.name.startswith("remora")] == []

    def test_a_spent_budget_still_gives_a_full_slate(self) -> None:
        answer = asking(Front(SmallShop(settings(retrieval_deadline_fraction=1e-9, ranking_deadline_fraction=1e-9))))(
            "GET", "/v1/recommend/u1"
        ).json()
        assert len(answer["items"]) == 10
        assert "taste: skipped, the request's time is spent" in answer["degraded"]


class TestReadiness:
    def test_comes_after_one_request_went_all_the_way(self) -> None:
        front = Front(SmallShop())
        assert not front.recommender.warm
        assert asking(front)("GET", "/readyz").json() == {"status": "ready", "bundle": "small"}
        assert front.recommender.warm

    def test_is_refused_with_a_time_to_retry_while_a_part_is_out(self) -> None:
        ask = asking(Front(SmallShop(), Stuck(NotReady("the ranker is loading"))))
        response = ask("GET", "/readyz")
        assert_problem(response, 503, "unavailable", "the ranker is loading")
        assert int(response.headers["retry-after"]) > 0
        assert ask("GET", "/healthz").json() == {"status": "ok", "bundle": "small"}


def test_the_documentation_has_an_example_for_every_message(ask: Ask) -> None:
    described = ask("GET", "/openapi.json").json()
    assert {"/v1/recommend", "/v1/recommend/{user_id}", "/v1/similar/{item_id}", "/healthz", "/readyz"} <= described[
        "paths"
    ].keys()
    for message in ("RecommendRequest", "RecommendResponse"):
        assert described["components"]["schemas"][message]["examples"]
    assert "application/problem+json" in described["paths"]["/v1/recommend"]["post"]["responses"]["422"]["content"]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/v1/recommend/u1?n=2&n=3", "n"),
        ("/v1/recommend/u1?n=2&surface=home_feed&surface=home_feed", "surface"),
        ("/v1/similar/i1?user_id=u1&user_id=u2", "user_id"),
        ("/v1/similar?item_id=i1&item_id=i2", "item_id"),
        ("/v1/explain/u1/i1?n=2&n=2", "n"),
    ],
)
def test_a_parameter_given_twice_is_a_mistake(ask: Ask, path: str, name: str) -> None:
    response = ask("GET", path)
    assert_problem(response, 422, "invalid-request", f"/{name}: stands several times")


def test_a_list_in_the_query_may_have_several_values(ask: Ask) -> None:
    assert ask("GET", "/v1/explain/u1/i01?exclude=i02&exclude=i03").status_code == 200


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_a_check_by_head_has_the_status_of_get(ask: Ask, path: str) -> None:
    assert ask("HEAD", path).status_code == ask("GET", path).status_code == 200
