"""The edge's rules inside Serve's own processes: nothing odd reaches Ray's header parsing, metrics or request slots."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from remora.wiring.edge_guard import EdgeGuard, kept
from remora.wiring.edge_rules import EdgeLimits

LIMITS = EdgeLimits(max_body_bytes=100, max_header_bytes=200, max_url_bytes=50, request_seconds=1)


def sent(pieces: list[bytes], *, ends: bool = True, gone: bool = False, **changed: Any) -> tuple[list[Any], list[Any]]:
    """What the app behind the guard saw of a request, and what was answered; without ``ends`` the body stays out."""
    scope = {"type": "http", "method": "POST", "path": "/", "raw_path": b"/", "query_string": b"", "headers": []}
    messages: list[Any] = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
    if ends:
        messages[-1]["more_body"] = False
    if gone:
        messages.append({"type": "http.disconnect"})
    seen, answered = [], []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append((scope["headers"], await receive()))

    async def receive() -> Any:
        return messages.pop(0) if messages else await asyncio.Future()

    async def send(message: Any) -> None:
        answered.append(message)

    asyncio.run(EdgeGuard(app, LIMITS)({**scope, **changed}, receive, send))
    return seen, answered


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"method": "EVIL0001"}, 405),
        ({"raw_path": b"/" + b"x" * 60}, 414),
        ({"headers": [(b"a", b"x" * 300)]}, 431),
        ({"headers": [(b"x-request-id", b"\xff\xfe")]}, 400),
        ({"headers": [(b"serve_multiplexed_model_id", b"\x80")]}, 400),
        ({"headers": [(b"content-length", b"101")]}, 413),
        ({"headers": [(b"content-length", b"9" * 100)]}, 413),
    ],
)
def test_a_request_with_an_odd_head_ends_here(changed: dict[str, Any], status: int) -> None:
    seen, (start, body) = sent([b"{}"], **changed)
    assert not seen
    assert start["status"] == status
    assert json.loads(body["body"])["status"] == status
    assert (b"content-type", b"application/problem+json") in start["headers"]


def test_a_body_arrives_as_one_message() -> None:
    [(_, message)], _ = sent([b"{", b"}"])
    assert message == {"type": "http.request", "body": b"{}", "more_body": False}


def test_a_body_that_is_longer_than_was_said_ends_here() -> None:
    seen, (start, _) = sent([b"x" * 60, b"x" * 60], ends=False)
    assert (seen, start["status"]) == ([], 413)


def test_a_body_that_stays_out_reaches_no_request_slot() -> None:
    seen, (start, _) = sent([b"{"], ends=False)
    assert (seen, start["status"]) == ([], 408)


def test_a_client_that_leaves_is_not_answered() -> None:
    assert sent([b"{"], ends=False, gone=True) == ([], [])


def test_headers_that_ray_serve_obeys_do_not_reach_it() -> None:
    ray = ["x-request-timeout-seconds", "X-Request-Disconnect-Disabled", "x-session-id", "serve-multiplexed_model_id"]
    other = [(b"x-request-timeout-ms", b"80"), (b"x-request-id", b"mine")]
    assert kept([*((name.encode(), b"0") for name in ray), *other]) == other


@pytest.mark.parametrize("ids", [[b"two words"], [b"x" * 129], [b""], [b"one", b"two"]])
def test_a_request_id_that_cannot_be_used_does_not_reach_it(ids: list[bytes]) -> None:
    assert kept([(b"x-request-id", one) for one in ids]) == []


def test_the_head_of_an_answer_waits_for_its_body() -> None:
    came: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        came.append("dies here")
        await send({"type": "http.response.body", "body": b"1", "more_body": True})
        await send({"type": "http.response.body", "body": b"2"})

    async def receive() -> Any:
        return {"type": "http.request", "body": b"{}", "more_body": False}

    async def send(message: Any) -> None:
        came.append(message["type"])

    scope = {"type": "http", "method": "GET", "path": "/", "raw_path": b"/", "query_string": b"", "headers": []}
    asyncio.run(EdgeGuard(app, LIMITS)(scope, receive, send))
    assert came == ["dies here", "http.response.start", "http.response.body", "http.response.body"]
