"""Events over HTTP: verdicts, what is refused whole, and a log that fails, while slates are served unharmed."""

from __future__ import annotations

import asyncio
import errno
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from tests.serving.small_shop import SmallShop, settings
from tests.serving.test_routes import Front, assert_problem

from remora.core.errors import NotReady
from remora.events.file_log import FileLog, sealed
from remora.events.from_settings import intake_of, log_folder
from remora.events.intake import Intake
from remora.events.segment import records
from remora.serving.routes import application
from remora.settings import Settings

JSON = {"content-type": "application/json"}
GOOD = {"user_id": "u1", "item_id": "i03", "event_type": "buy"}


def ask(app: FastAPI, *requests: Any) -> list[httpx.Response]:
    """The answers to bodies that are posted at once."""

    async def post() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
            return await asyncio.gather(*(client.post(path, **content) for path, content in requests))

    return asyncio.run(post())


def events(*sent: Any) -> tuple[str, dict[str, Any]]:
    return "/v1/events", {"json": {"events": list(sent)}}


@pytest.fixture
def shop(tmp_path: Path) -> Settings:
    return settings().model_copy(update={"home": str(tmp_path)})


@pytest.fixture
def intake(shop: Settings) -> Iterator[Intake]:
    found = intake_of(shop)
    yield found
    found.close()


@pytest.fixture
def app(intake: Intake) -> FastAPI:
    return application(Front(SmallShop()), intake)


def kept(shop: Settings) -> list[dict[str, Any]]:
    folder = log_folder(shop)
    paths = [*sealed(folder), *folder.glob("*.open")]
    return [json.loads(record.content) for path in paths for record in records(path)]


def test_each_event_has_a_verdict_and_what_is_accepted_is_on_the_disk(app: FastAPI, shop: Settings) -> None:
    (answer,) = ask(app, events(GOOD | {"event_id": "a"}, GOOD | {"event_id": "a"}, {"user_id": "u1"}, 7))
    assert answer.status_code == 200
    body = answer.json()
    assert (body["accepted"], body["duplicates"], body["quarantined"]) == (1, 1, 2)
    assert [one["verdict"] for one in body["verdicts"]] == ["accepted", "duplicate", "quarantined", "quarantined"]
    assert [one["reason"] for one in body["verdicts"]][2:] == ["item_id is missing", "the event is no JSON object"]
    assert [record.get("event_id") for record in kept(shop)] == ["a", None, None]


def test_a_thousand_events_in_one_request_and_many_requests_at_once(app: FastAPI, shop: Settings) -> None:
    many = [GOOD | {"event_id": str(number), "context": {"page": "p", "place": number}} for number in range(1_000)]
    answers = ask(app, events(*many), *(events(GOOD | {"event_id": f"alone {number}"}) for number in range(50)))
    assert [answer.json()["accepted"] for answer in answers] == [1_000] + [1] * 50
    assert len({record["event_id"] for record in kept(shop)}) == 1_050


@pytest.mark.parametrize(
    ("content", "status", "kind", "says"),
    [
        ({"json": {"events": []}}, 422, "invalid-request", "at least 1 item"),
        ({"json": {"events": [GOOD] * 1_001}}, 422, "invalid-request", "at most 1000 items"),
        ({"json": {}}, 422, "invalid-request", "/events"),
        ({"json": {"events": [GOOD], "more": 1}}, 422, "invalid-request", "/more"),
        ({"json": [GOOD]}, 422, "invalid-request", "contract"),
        ({"content": b'{"events": [', "headers": JSON}, 400, "invalid-json", "not JSON"),
        ({"content": b"x" * 300_000, "headers": JSON}, 413, "request-entity-too-large",
         "larger than 262,144 bytes"),
        ({"content": b'{"events": [' + b"1," * 100_000 + b"1]}", "headers": JSON}, 400,
         "invalid-json", "more than 65,536 values"),
    ],
)  # fmt: skip
def test_what_is_no_list_of_events_is_refused_whole(
    app: FastAPI, shop: Settings, content: dict[str, Any], status: int, kind: str, says: str
) -> None:
    (answer,) = ask(app, ("/v1/events", content))
    assert_problem(answer, status, kind, says)
    assert kept(shop) == []


def test_an_event_with_half_a_surrogate_pair_is_refused_as_no_json_can_hold_it(app: FastAPI) -> None:
    text = json.dumps({"events": [GOOD | {"session_id": "\ud800"}]})
    (answer,) = ask(app, ("/v1/events", {"content": text, "headers": JSON}))
    assert_problem(answer, 400, "invalid-json", "half a surrogate pair")


def test_on_a_full_disk_events_are_refused_with_when_to_try_again_and_slates_are_served(
    app: FastAPI, intake: Intake, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(log: FileLog, records: Sequence[bytes]) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(FileLog, "append", full)
    refused, served = ask(app, events(GOOD), ("/v1/recommend", {"json": {"user_id": "u1", "n": 3}}))
    assert_problem(refused, 503, "unavailable", r"No space left on device")
    assert refused.headers["retry-after"] == "2"
    assert len(served.json()["items"]) == 3
    monkeypatch.undo()
    assert ask(app, events(GOOD))[0].json()["accepted"] == 1


def test_without_an_intake_there_is_no_such_path() -> None:
    (answer,) = ask(application(Front(SmallShop())), events(GOOD))
    assert_problem(answer, 404, "not-found", "/v1/events")


def test_a_home_on_s3_needs_a_folder_for_the_log(shop: Settings, tmp_path: Path) -> None:
    there = shop.model_copy(update={"home": "s3://bucket/home?region=us-east-1"})
    with pytest.raises(NotReady, match=r"Set events\.folder"):
        log_folder(there)
    chosen = shop.events.model_copy(update={"folder": str(tmp_path / "spool")})
    assert log_folder(there.model_copy(update={"events": chosen})) == tmp_path / "spool" / "events"
