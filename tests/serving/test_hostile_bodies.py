"""Bodies that are meant to harm: each is refused with a small problem document, whatever listens before the app."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from starlette.applications import Starlette
from tests.serving.small_shop import SmallShop, settings
from tests.serving.test_routes import Ask, Front, asking, assert_problem

from remora.serving.body_limit import BodyLimit
from remora.serving.host_check import HostCheck, answered_hosts
from remora.serving.problems import MOST_MISTAKES
from remora.serving.routes import application
from remora.settings.serving import ServingSettings

JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def ask() -> Ask:
    return asking(Front(SmallShop(settings())))


def posted(ask: Ask, text: str | bytes) -> Any:
    return ask("POST", "/v1/recommend", content=text, headers=JSON)


class TestABody:
    @pytest.mark.parametrize(
        "text",
        [
            r'{"user_id": "1", "surface": "\ud800"}',
            r'{"user_id": "\udfff"}',
            r'{"user_id": "1", "surface": "similar_items", "context": {"seed_item_id": "\ud800"}}',
            r'{"user_id": "1", "context": {"\ud800": "x"}}',
        ],
    )
    def test_with_half_a_surrogate_pair_is_refused(self, ask: Ask, text: str) -> None:
        assert_problem(posted(ask, text), 400, "invalid-json", "half a surrogate pair")

    def test_with_a_whole_pair_is_answered(self, ask: Ask) -> None:
        assert posted(ask, r'{"user_id": "\ud83d\ude00"}').status_code == 200

    def test_that_says_a_name_twice_is_refused(self, ask: Ask) -> None:
        assert_problem(posted(ask, '{"user_id": "1", "n": 3, "n": 4}'), 400, "invalid-json", "stands twice")

    @pytest.mark.parametrize("text", [b'{"user_id": "\xff"}', b"[" * 30_000, b'{"user_id": ' + b"9" * 5_000 + b"}"])
    def test_that_cannot_be_read_is_said_to_be_so(self, ask: Ask, text: bytes) -> None:
        assert posted(ask, text).status_code == 400

    @pytest.mark.parametrize(
        "value", [[0] * 2_100, [[]] * 2_100, {"a": [{}] * 2_100}, [{"a": n} for n in range(2_100)]]
    )
    def test_of_too_many_values_is_refused_before_they_are_made(self, ask: Ask, value: Any) -> None:
        text = json.dumps({"user_id": "1", "context": value})
        assert_problem(posted(ask, text), 400, "invalid-json", "more than 2,048 values")

    def test_may_have_as_many_commas_and_brackets_in_its_strings_as_it_will(self, ask: Ask) -> None:
        odd = [f"{n}" + ',[{"\\' * 4 for n in range(500)]
        assert posted(ask, json.dumps({"user_id": "1", "exclude": odd})).status_code == 200


class TestManyMistakes:
    @pytest.mark.parametrize(
        "body",
        [
            {"user_id": "1", "context": {f"k{n}": [] for n in range(5_500)}},
            {"user_id": "1", "context": {f"k{n}": [] for n in range(60)}},
            {"user_id": "1", "context": {f"k{n}": 1 for n in range(200)}},
            {"user_id": "1", "exclude": [1] * 1_000},
            {"user_id": "1", **{f"unknown{n}": 1 for n in range(200)}},
            {"user_id": "1", "x" * 60_000: 1},
            {"user_id": "1", "surface": "x" * 60_000},
            {"user_id": "1", "surface": "similar_items", "context": {"seed_item_id": "x" * 60_000}},
        ],
        ids=["5,500 entries", "60 entries", "200 right entries", "excludes", "names", "a long name", "surface", "seed"],
    )
    def test_get_a_small_document_with_the_first_of_them(self, ask: Ask, body: dict[str, Any]) -> None:
        response = posted(ask, json.dumps(body, separators=(",", ":")))
        assert response.headers["content-type"] == "application/problem+json"
        assert 400 <= response.status_code < 500
        assert len(response.json()["errors"]) <= MOST_MISTAKES
        assert len(response.content) < 8_000

    def test_of_parameters_too(self, ask: Ask) -> None:
        response = ask("GET", "/v1/explain/u1/i01?" + "&".join(f"exclude={'x' * 300}" for _ in range(150)))
        assert response.status_code == 422
        assert len(response.content) < 8_000

    def test_a_long_path_is_cut(self, ask: Ask) -> None:
        assert len(ask("GET", "/" + "x" * 50_000).content) < 2_000


async def sent(app: Any, scope: dict[str, Any], *pieces: bytes, whole: bool) -> list[Any]:
    """Messages of the app's answer to a request whose body stops after the pieces."""
    messages: list[Any] = []
    coming = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
    if whole:
        coming[-1]["more_body"] = False

    async def receive() -> Any:
        if coming:
            return coming.pop(0)
        return await asyncio.Future()

    async def send(message: Any) -> None:
        messages.append(message)

    await app({"type": "http", "http_version": "1.1", "query_string": b"", "headers": [], **scope}, receive, send)
    return messages


def test_a_body_that_stays_out_is_answered_with_408() -> None:
    app = application(Front(SmallShop(settings())))
    app.user_middleware = [m for m in app.user_middleware if m.cls is not BodyLimit]
    app.add_middleware(BodyLimit, most_bytes=8_000, seconds=0.05)
    scope = {"method": "POST", "path": "/v1/recommend", "headers": [(b"content-type", b"application/json")]}
    start, body = asyncio.run(sent(app, scope, b'{"user', whole=False))
    assert start["status"] == 408
    assert json.loads(body["body"])["type"] == "urn:remora:problem:request-timeout"


class TestTheDocument:
    def test_refers_to_nothing_that_is_not_in_it(self) -> None:
        document = application(Front(SmallShop())).openapi()

        def references(part: Any) -> list[str]:
            if isinstance(part, dict):
                own = [part["$ref"]] if isinstance(part.get("$ref"), str) else []
                return own + [found for value in part.values() for found in references(value)]
            return [found for value in part for found in references(value)] if isinstance(part, list) else []

        for reference in references(document):
            at: Any = document
            for name in reference.removeprefix("#/").split("/"):
                at = at[name]

    def test_is_shown_without_anything_from_elsewhere(self, ask: Ask) -> None:
        page = ask("GET", "/docs")
        assert page.status_code == 200
        assert "/v1/recommend" in page.text
        assert "<script" not in page.text
        assert "http" not in page.text
        assert ask("GET", "/redoc").status_code == 404

    def test_a_slash_too_many_is_not_found(self, ask: Ask) -> None:
        assert_problem(ask("GET", "/healthz/"), 404, "not-found", "/healthz/")


class TestTheHost:
    @pytest.mark.parametrize(
        ("host", "answered"),
        [
            ("localhost:8000", True),
            ("127.0.0.1", True),
            ("[::1]:8000", True),
            ("shop.example", True),
            ("evil.example", False),
            ("127.0.0.1.evil.example", False),
            ("", False),
        ],
    )
    def test_is_one_that_a_loopback_server_has(self, host: str, answered: bool) -> None:
        hosts = answered_hosts(ServingSettings(allowed_hosts=["Shop.example"]))
        assert hosts is not None

        app = HostCheck(Starlette(), hosts)
        scope = {"method": "GET", "path": "/", "headers": [(b"host", host.encode())]}
        start, *_ = asyncio.run(sent(app, scope, b"", whole=True))
        assert (start["status"] != 421) == answered

    def test_is_not_looked_at_where_the_server_is_for_others(self) -> None:
        assert answered_hosts(ServingSettings(host="0.0.0.0")) is None
