"""The app on a real cluster, asked over HTTP through Serve's proxy."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from ray.serve.handle import DeploymentHandle
from tests.serving.small_shop import N_ITEMS, UNAVAILABLE, USERS, SmallShop


@pytest.fixture(scope="module")
def client(served: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=served, timeout=60) as client:
        yield client


@pytest.mark.parametrize("topology", ["fused", "graph"])
class TestAnApp:
    def test_is_ready_after_its_warm_up(self, client: httpx.Client, topology: str) -> None:
        assert client.get(f"/{topology}/readyz").json() == {"status": "ready", "bundle": "small"}

    def test_answers_many_at_once_and_each_its_own(self, client: httpx.Client, topology: str) -> None:
        def ask(number: int) -> tuple[str, dict]:
            user = USERS[number % len(USERS)]
            body = {"user_id": user, "n": 12}
            answer = client.post(f"/{topology}/v1/recommend", json=body, headers={"X-Request-Id": f"{user}-{number}"})
            assert answer.headers.get_list("x-request-id") == [f"{user}-{number}"]
            return f"{user}-{number}", answer.json()

        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(ask, range(48)))
        slates: dict[str, set[tuple[str, ...]]] = {}
        for request_id, answer in answers:
            assert answer["request_id"] == request_id
            assert answer["degraded"] == []
            slates.setdefault(request_id.split("-")[0], set()).add(tuple(i["item_id"] for i in answer["items"]))
        assert all(len(of_user) == 1 for of_user in slates.values())
        assert len(set().union(*slates.values())) == len(USERS)

    def test_answers_bad_input_with_a_problem_document(self, client: httpx.Client, topology: str) -> None:
        response = client.post(f"/{topology}/v1/recommend", json={"user_id": "u1", "n": 0})
        assert response.status_code == 422
        assert response.headers["content-type"] == "application/problem+json"
        assert client.get(f"/{topology}/v1/similar/i99").status_code == 404
        assert client.get(f"/{topology}/nothing").json()["type"] == "urn:remora:problem:not-found"

    def test_refuses_a_body_that_is_too_large(self, client: httpx.Client, topology: str) -> None:
        assert client.post(f"/{topology}/v1/recommend", content=b" " * 300_000).status_code == 413

    def test_shows_its_documentation(self, client: httpx.Client, topology: str) -> None:
        assert client.get(f"/{topology}/docs").status_code == 200
        assert "/v1/recommend" in client.get(f"/{topology}/openapi.json").json()["paths"]


def test_both_topologies_give_identical_slates(client: httpx.Client) -> None:
    for user in (*USERS, "nobody"):
        body = {"user_id": user, "n": 25, "exclude": ["i03"]}
        fused = client.post("/fused/v1/recommend", json=body).json()
        graph = client.post("/graph/v1/recommend", json=body).json()
        assert fused["items"] == graph["items"]
        assert fused["degraded"] == graph["degraded"]
        assert fused["timings_ms"].keys() == graph["timings_ms"].keys()
        similar = [
            client.get(f"/{t}/v1/similar/i30", params={"user_id": user}).json()["items"] for t in ("fused", "graph")
        ]
        assert similar[0] == similar[1]


def test_both_topologies_explain_alike(client: httpx.Client) -> None:
    for item in ("i00", "i07", "i30", "i59"):
        fused, graph = (client.get(f"/{t}/v1/explain/u5/{item}", params={"n": 5}).json() for t in ("fused", "graph"))
        assert fused == graph
        assert fused["removed_by"] == "unavailable_items" or item != "i07"


def degraded_with(bundle: str, phases: list[DeploymentHandle]) -> list[str]:
    """What a full slate of a graph of these phases says that it lacks."""
    from remora.serving.executors import GraphExecutor
    from remora.serving.metrics import ServingMetrics
    from remora.serving.recommender import Recommender
    from remora.serving.requests import RequestContext
    from remora.serving.schemas import RecommendRequest

    shop = SmallShop(bundle=bundle)
    loaded = shop.load()
    recommender = Recommender(loaded, GraphExecutor(loaded, *phases), shop.settings.serving, ServingMetrics())
    answer = asyncio.run(recommender.recommend(RecommendRequest(user_id="u1", n=N_ITEMS), RequestContext("r")))
    assert len(answer.items) == N_ITEMS - len(UNAVAILABLE)
    return answer.degraded


@pytest.fixture
def phases(client: httpx.Client) -> list[DeploymentHandle]:
    """The three of the graph that is served."""
    from ray import serve

    return [serve.get_deployment_handle(name, app_name="graph") for name in ("Retriever", "Filter", "Ranker")]


def with_each_replaced(phases: list[DeploymentHandle], behave: Callable[[], object]) -> list[list[str]]:
    """What slates say they lack when one phase after the other behaves in this way."""
    from ray import serve

    @serve.deployment(ray_actor_options={"num_cpus": 0.1})
    class Broken:
        async def retrieve(self, bundle: str, query: object, catalogue: str) -> object:
            return behave()

        async def filter(self, errand: object) -> object:
            return behave()

        async def rank(self, errand: object) -> object:
            return behave()

    broken = serve.run(Broken.bind(), name="broken", route_prefix="/broken")
    try:
        return [degraded_with("small", [*phases[:place], broken, *phases[place + 1 :]]) for place in range(3)]
    finally:
        serve.delete("broken")


def test_the_graph_answers_with_popular_items_while_a_phase_is_of_another_bundle(
    phases: list[DeploymentHandle],
) -> None:
    said = degraded_with("newer", phases)
    assert said == ["popular_fallback: the request is of bundle newer, this replica serves small"]


def test_a_phase_that_answers_garbage_is_passed_over(phases: list[DeploymentHandle]) -> None:
    assert with_each_replaced(phases, lambda: b"\x00garbage") == [
        ["popular_fallback: a phase handed on bytes in place of a request"],
        ["popular_fallback: a phase handed on bytes in place of a request"],
        ["popular_fallback: a phase answered bytes in place of a slate"],
    ]


@pytest.mark.slow
def test_a_phase_that_dies_with_a_request_in_hand_is_passed_over(phases: list[DeploymentHandle]) -> None:
    said = with_each_replaced(phases, lambda: os._exit(1))
    assert said == [["popular_fallback: a phase cannot be reached (ActorDiedError)"]] * 3


def test_a_phase_that_gives_a_request_up_is_passed_over(phases: list[DeploymentHandle]) -> None:
    def give_up() -> None:
        raise asyncio.CancelledError

    for [said] in with_each_replaced(phases, give_up):
        assert said.startswith("popular_fallback: a phase "), said


def test_a_bug_in_a_phase_is_not_passed_over(phases: list[DeploymentHandle]) -> None:
    with pytest.raises(ZeroDivisionError):
        with_each_replaced(phases, lambda: 1 // 0)


def test_a_gateway_has_gone_the_whole_way_before_its_first_request_and_starts_where_that_leads_nowhere(
    client: httpx.Client,
) -> None:
    from ray import serve

    from remora.serving.gateway import Gateway

    @serve.deployment(ray_actor_options={"num_cpus": 0.1})
    class Nowhere:
        asked = 0

        async def retrieve(self, bundle: str, query: object, catalogue: str) -> str:
            self.asked += 1
            return "nothing"

        async def filter(self, errand: object) -> object:
            return errand

        async def rank(self, errand: object) -> object:
            return errand

        async def times(self) -> int:
            return self.asked

    gateway = Gateway.options(ray_actor_options={"num_cpus": 0.1})
    phases = [Nowhere.options(name=name).bind() for name in ("Retriever", "Filter", "Ranker")]
    serve.run(gateway.bind(SmallShop(), *phases), name="nowhere", route_prefix="/nowhere")
    try:
        retriever = serve.get_deployment_handle("Retriever", app_name="nowhere")
        assert retriever.times.remote().result() == 1
        assert client.get("/nowhere/healthz").status_code == 200
        assert client.get("/nowhere/v1/recommend/u1").json()["degraded"] == [
            "popular_fallback: a phase answered str in place of a slate"
        ]
    finally:
        serve.delete("nowhere")
