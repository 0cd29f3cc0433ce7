"""The app on a real cluster, asked over HTTP through Serve's proxy."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
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
        assert client.post(f"/{topology}/v1/recommend", content=b" " * 200_000).status_code == 413

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
        assert fused["removed_by"] == "unavailable" or item != "i07"


def test_the_graph_answers_with_popular_items_while_a_phase_is_of_another_bundle(client: httpx.Client) -> None:
    from ray import serve

    from remora.serving.arrival import Arrival
    from remora.serving.desk import Desk
    from remora.serving.messages import RecommendRequest
    from remora.serving.meters import Meters
    from remora.serving.topologies import Graph

    shop = SmallShop(bundle="newer")
    handles = [serve.get_deployment_handle(name, app_name="graph") for name in ("Retriever", "Filter", "Ranker")]
    desk = Desk(shop.release(), Graph("newer", *handles), shop.settings.serving, Meters())
    answer = asyncio.run(desk.recommend(RecommendRequest(user_id="u1", n=N_ITEMS), Arrival("r")))
    assert len(answer.items) == N_ITEMS - len(UNAVAILABLE)
    assert answer.degraded == ["last_resort: the request is of bundle newer, this replica serves small"]


def test_a_phase_that_answers_garbage_is_passed_over(client: httpx.Client) -> None:
    from ray import serve

    from remora.serving.arrival import Arrival
    from remora.serving.desk import Desk
    from remora.serving.messages import RecommendRequest
    from remora.serving.meters import Meters
    from remora.serving.topologies import Graph

    @serve.deployment(ray_actor_options={"num_cpus": 0.1})
    class Garbled:
        async def filter(self, errand: object) -> bytes:
            return b"\x00garbage"

        async def rank(self, errand: object) -> bytes:
            return b"\x00garbage"

    garbled = serve.run(Garbled.bind(), name="garbled", route_prefix="/garbled")
    retriever, filter, ranker = (
        serve.get_deployment_handle(name, app_name="graph") for name in ("Retriever", "Filter", "Ranker")
    )
    shop = SmallShop()
    said = []
    for phases in ((retriever, filter, garbled), (retriever, garbled, ranker)):
        desk = Desk(shop.release(), Graph("small", *phases), shop.settings.serving, Meters())
        answer = asyncio.run(desk.recommend(RecommendRequest(user_id="u1", n=N_ITEMS), Arrival("r")))
        assert len(answer.items) == N_ITEMS - len(UNAVAILABLE)
        said += answer.degraded
    serve.delete("garbled")
    assert said == [
        "last_resort: a phase answered bytes in place of a slate",
        "last_resort: a phase handed on bytes in place of an errand",
    ]
