"""The gRPC service says what the HTTP API says, and is what its definition says."""

from __future__ import annotations

import asyncio
import math
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from google.protobuf.empty_pb2 import Empty
from google.protobuf.json_format import MessageToDict
from tests.events.memory import Memory
from tests.events.test_contract import CONTRACT
from tests.serving.small_shop import USERS

import remora
from remora.events.entity_contract import EntityContract
from remora.events.entity_intake import EntityIntake
from remora.events.entity_update import EntityUpdate
from remora.events.file_log import FileLog
from remora.events.from_settings import ENTITIES
from remora.events.intake import Intake
from remora.serving.entity_writes import EntityWrites
from remora.serving.explanation import Contribution, Explanation, FoundBy, Prediction
from remora.serving.requests import RequestContext
from remora.serving.rpc import recommender_pb2 as wire
from remora.serving.rpc.recommender_pb2_grpc import RecommenderStub
from remora.serving.rpc.service import NO_NUMBER, Rpc
from remora.serving.schemas import RecommendRequest
from remora.surfaces.responses import RecommendedItem, RecommendResponse

PLATFORM = Path(remora.__file__).parents[1]
PACKAGE = PLATFORM / "remora/serving/rpc"


@pytest.fixture(scope="module")
def stub(served: str, serve_grpc: str) -> Iterator[RecommenderStub]:
    with grpc.insecure_channel(serve_grpc) as channel:
        yield RecommenderStub(channel)


@pytest.fixture(scope="module")
def client(served: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=served, timeout=60) as client:
        yield client


def of(topology: str, **more: str) -> dict[str, Any]:
    return {"metadata": [("application", topology), *((name.replace("_", "-"), v) for name, v in more.items())]}


def as_json(answer: Any) -> dict[str, Any]:
    return MessageToDict(answer, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)


def without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_nulls(one) for name, one in value.items() if one is not None}
    return [without_nulls(one) for one in value] if isinstance(value, list) else value


@pytest.mark.parametrize("topology", ["fused", "graph"])
class TestAnApp:
    def test_gives_the_slates_that_it_gives_over_http(
        self, stub: RecommenderStub, client: httpx.Client, topology: str
    ) -> None:
        for body in (
            *({"user_id": user, "n": 7, "exclude": ["i03"]} for user in USERS),
            {"user_id": "stranger", "context": {"country": "at", "hour": 12}},
            {"user_id": None, "n": 3},
            {"user_id": "u2", "surface": "similar_items", "context": {"seed_item_id": "i30"}},
        ):
            over_http = client.post(f"/{topology}/v1/recommend", json=body).json()
            answer = as_json(stub.Recommend(wire.RecommendRequest(**body), **of(topology)))
            for name in ("items", "surface", "bundle", "variant", "degraded"):
                assert answer[name] == without_nulls(over_http[name]), (name, body)
            assert answer["timings_ms"].keys() == over_http["timings_ms"].keys()

    def test_gives_similar_items_and_reasons(self, stub: RecommenderStub, client: httpx.Client, topology: str) -> None:
        over_http = client.get(f"/{topology}/v1/similar/i30", params={"n": 4, "user_id": "u3"}).json()
        answer = as_json(stub.Similar(wire.SimilarRequest(item_id="i30", n=4, user_id="u3"), **of(topology)))
        assert answer["items"] == without_nulls(over_http["items"])
        for item in ("i07", "i10", "i30"):
            over_http = client.get(f"/{topology}/v1/explain/u3/{item}", params={"n": 4}).json()
            answer = as_json(stub.Explain(wire.ExplainRequest(user_id="u3", item_id=item, n=4), **of(topology)))
            assert answer == without_nulls(over_http)
        body = {"n": 60, "context": {"country": "at", "late": True}, "item_id": "i59"}
        over_http = client.post(f"/{topology}/v1/explain", json={**body, "user_id": None}).json()
        answer = as_json(stub.Explain(wire.ExplainRequest(**body), **of(topology)))
        assert "popular_in_segment" in [one["source"] for one in answer["sources"]]
        assert answer == without_nulls(over_http)
        assert as_json(stub.Ready(Empty(), **of(topology))) == {"status": "ready", "bundle": "small"}

    def test_takes_events_as_it_does_over_http(
        self, stub: RecommenderStub, client: httpx.Client, topology: str
    ) -> None:
        sent = [
            {"event_id": f"of {topology}", "user_id": "u1", "item_id": "i03", "event_type": "buy", "position": 2},
            {"user_id": "u1", "item_id": "i03", "event_type": "sale", "context": {"page": "home", "old": False}},
        ]
        answer = as_json(stub.SendEvents(wire.EventsRequest(events=sent), **of(topology)))
        again = client.post(f"/{topology}/v1/events", json={"events": sent}).json()
        assert [one["verdict"] for one in answer["verdicts"]] == ["accepted", "quarantined"]
        assert [one["verdict"] for one in again["verdicts"]] == ["duplicate", "quarantined"]
        assert answer["verdicts"][1] == again["verdicts"][1]
        assert answer["verdicts"][0]["event_id"] == again["verdicts"][0]["event_id"] == f"of {topology}"

    def test_takes_the_request_id_over_and_sends_it_back(self, stub: RecommenderStub, topology: str) -> None:
        asked = wire.RecommendRequest(user_id="u1")
        answer, call = stub.Recommend.with_call(
            asked, **of(topology, x_request_id="mine", x_request_timeout_ms="60000")
        )
        assert answer.request_id == "mine"
        assert ("x-request-id", "mine") in [(one.key, one.value) for one in call.trailing_metadata()]

    @pytest.mark.parametrize(
        ("method", "asked", "metadata", "status", "says"),
        [
            ("Recommend", wire.RecommendRequest(user_id="u1", n=0), {}, "INVALID_ARGUMENT", "n: .*greater than"),
            ("Recommend", wire.RecommendRequest(user_id="u1", n=501), {}, "INVALID_ARGUMENT", "n: "),
            ("Recommend", wire.RecommendRequest(user_id=""), {}, "INVALID_ARGUMENT", "user_id: "),
            ("Recommend", wire.RecommendRequest(user_id="u" * 10_000), {}, "INVALID_ARGUMENT", "user_id: "),
            ("Recommend", wire.RecommendRequest(exclude=["i"] * 10_000), {}, "INVALID_ARGUMENT", "exclude: "),
            ("Recommend", wire.RecommendRequest(context={"deep": [1]}), {}, "INVALID_ARGUMENT", "context.deep"),
            ("Recommend", wire.RecommendRequest(surface="cellar"), {}, "INVALID_ARGUMENT", "no surface 'cellar'"),
            ("Recommend", wire.RecommendRequest(), {"x_request_timeout_ms": "soon"}, "INVALID_ARGUMENT", "is 'soon'"),
            ("Similar", wire.SimilarRequest(item_id="i99"), {}, "NOT_FOUND", "item 'i99'"),
            ("Similar", wire.SimilarRequest(), {}, "INVALID_ARGUMENT", "item_id: "),
            ("Explain", wire.ExplainRequest(user_id="u1"), {}, "INVALID_ARGUMENT", "item_id: "),
            ("SendEvents", wire.EventsRequest(), {}, "INVALID_ARGUMENT", "events: "),
            ("SendEvents", wire.EventsRequest(events=[{}] * 1_001), {}, "INVALID_ARGUMENT", "at most 1000 items"),
            ("PutItem", wire.PutRequest(), {}, "INVALID_ARGUMENT", "id: "),
            ("PutUser", wire.PutRequest(id="u" * 300), {}, "INVALID_ARGUMENT", "id: "),
            ("PutItem", wire.PutRequest(id="i", columns={"a": math.nan}), {}, "INVALID_ARGUMENT", "NaN or infinite"),
            ("PutItem", wire.PutRequest(id="i"), {}, "UNAVAILABLE", "not known yet"),
            ("DeleteItem", wire.DeleteRequest(), {}, "INVALID_ARGUMENT", "id: "),
        ],
    )
    def test_answers_bad_input_with_a_status_and_the_reason(
        self, stub: RecommenderStub, topology: str, method: str, asked: Any, metadata: dict, status: str, says: str
    ) -> None:
        with pytest.raises(grpc.RpcError, match=says) as error:
            getattr(stub, method)(asked, **of(topology, **metadata))
        assert error.value.code().name == status  # type: ignore[attr-defined]


def test_items_and_users_are_taken_as_they_are_over_http() -> None:
    logs = {kind: Memory() for kind in ENTITIES}
    contract = EntityContract(kind="items", types={"year": "int64", "tags": "list<item: string>"})
    rpc = Saying(None)
    rpc._entities = EntityWrites({kind: EntityIntake(log, kind) for kind, log in logs.items()}, lambda kind: contract)
    call, columns = Call(), {"year": 2026, "tags": ["a"]}
    put = asyncio.run(rpc.PutItem(wire.PutRequest(id="i\n", columns=columns), call))
    asyncio.run(rpc.DeleteItem(wire.DeleteRequest(id="i\n"), call))
    asyncio.run(rpc.PutUser(wire.PutRequest(id="u"), call))
    asyncio.run(rpc.DeleteUser(wire.DeleteRequest(id="u"), call))
    assert (call.code, put.id) == (None, "i\n")
    sent = {kind: [EntityUpdate.decode(kind, record) for record in log.records] for kind, log in logs.items()}
    assert [one.columns for one in sent["items"]] == [columns, None]
    assert [one.columns for one in sent["users"]] == [{}, None]
    assert datetime.fromisoformat(put.instant) == sent["items"][0].instant
    asyncio.run(rpc.PutItem(wire.PutRequest(id="i", columns={"year": "x"}), call))
    assert (call.code, call.details[:30]) == (grpc.StatusCode.INVALID_ARGUMENT, "year takes an integer, and not")
    rpc._entities.close()


class Call:
    """A call's context, as Serve gives one."""

    code: grpc.StatusCode | None = None
    details = ""

    def invocation_metadata(self) -> list[tuple[str, str]]:
        return []

    def set_code(self, code: grpc.StatusCode) -> None:
        self.code = code

    def set_details(self, details: str) -> None:
        self.details = details

    def set_trailing_metadata(self, metadata: list[tuple[str, str]]) -> None:
        pass


class Saying(Rpc):
    """With a recommender that says, or raises, the same to all users."""

    def __init__(self, said: Any) -> None:
        self._router: Any = self
        self.said = said

    async def recommend(self, asked: RecommendRequest, context: RequestContext) -> Any:
        return self.explain()

    async def explain(self, *asked: Any) -> Any:
        if isinstance(self.said, Exception):
            raise self.said
        return self.said


def test_a_bug_is_an_internal_error_that_names_no_user(caplog: pytest.LogCaptureFixture) -> None:
    call = Call()
    asyncio.run(Saying(ZeroDivisionError()).Explain(wire.ExplainRequest(user_id="u1", item_id="i1"), call))
    assert call.code == grpc.StatusCode.INTERNAL
    assert "u1" not in call.details + caplog.text
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_a_number_that_json_has_not_is_the_callers_mistake(number: float) -> None:
    call, asked = Call(), wire.RecommendRequest(user_id="u1")
    asked.context.fields["price"].number_value = number
    asyncio.run(Saying(ZeroDivisionError()).Recommend(asked, call))
    assert (call.code, call.details) == (grpc.StatusCode.INVALID_ARGUMENT, NO_NUMBER)


def test_an_event_with_such_a_number_is_quarantined_alone(tmp_path: Path) -> None:
    log = FileLog(tmp_path, segment_bytes=1 << 20, segment_seconds=1_000)
    service, call = Saying(None), Call()
    service._intake = Intake(log, CONTRACT)
    good = wire.Event(user_id="u", item_id="i", event_type="buy")
    bad = wire.Event(user_id="u", item_id="i", event_type="buy", context={"price": 1.0})
    bad.context.fields["price"].number_value = float("nan")
    answer = asyncio.run(service.SendEvents(wire.EventsRequest(events=[bad, good]), call))
    service._intake.close()
    assert call.code is None
    assert [one.verdict for one in answer.verdicts] == ["quarantined", "accepted"]


def test_every_field_of_an_explanation_has_its_place() -> None:
    part = Contribution(feature="kind", value="tea", contribution=0.5)
    missing = Contribution(feature="age", value=None, contribution=-0.25)
    said = Explanation(
        user_id="u",
        surface="home_feed",
        n=3,
        item_id="i1",
        title="Thing",
        bundle="b",
        shown=True,
        removed_by="unavailable_items",
        rank=1,
        rank_before_reranking=2,
        candidates=9,
        sources=(FoundBy(source="linear", rank=1, score=0.5),),
        below_limit_in=(FoundBy(source="trending", rank=9, score=None),),
        score=1.5,
        predictions=(
            Prediction(
                objective="liked",
                prediction=0.5,
                weight=1.0,
                base_value=0.25,
                contributions=(part, missing),
                other_contributions=1.0,
            ),
        ),
        degraded=("x",),
    )
    answer = asyncio.run(Saying(said).Explain(wire.ExplainRequest(user_id="u", item_id="i1"), Call()))
    expected = said.model_dump(mode="json")
    expected["below_limit_in"][0].pop("score")
    assert as_json(answer) == expected


@pytest.mark.parametrize(
    "model", [RecommendRequest, RecommendResponse, RecommendedItem, Explanation, Contribution, Prediction, FoundBy]
)
def test_messages_have_the_fields_of_the_models(model: Any) -> None:
    assert {field.name for field in getattr(wire, model.__name__).DESCRIPTOR.fields} == set(model.model_fields)


def test_what_was_generated_is_of_this_definition(tmp_path: Path) -> None:
    outputs = [f"--{kind}_out={tmp_path}" for kind in ("python", "pyi", "grpc_python")]
    definition = str(PACKAGE / "recommender.proto")
    subprocess.run([sys.executable, "-m", "grpc_tools.protoc", f"-I{PLATFORM}", *outputs, definition], check=True)
    made = sorted((tmp_path / "remora/serving/rpc").iterdir())
    assert [file.name for file in made] == ["recommender_pb2.py", "recommender_pb2.pyi", "recommender_pb2_grpc.py"]
    assert [file.read_text() for file in made] == [(PACKAGE / file.name).read_text() for file in made]
