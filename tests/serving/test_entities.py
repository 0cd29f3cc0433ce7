"""Items and users over HTTP: what is taken is on the disk, what is not says why, and slates are served unharmed."""

from __future__ import annotations

import asyncio
import errno
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pyarrow as pa
import pytest
from fastapi import FastAPI
from tests.features.conftest import make_lake, shop_tables
from tests.serving.small_shop import SmallShop, settings
from tests.serving.test_odd_ids import ODD
from tests.serving.test_routes import Front, assert_problem

from remora.core.errors import NotReady
from remora.core.home import Home
from remora.core.tables import TIMESTAMP
from remora.events.entity_contract import EntityContract
from remora.events.entity_intake import EntityIntake
from remora.events.entity_states import EntityStates
from remora.events.entity_update import EntityKind
from remora.events.file_log import FileLog
from remora.events.from_settings import ENTITIES, entity_intake_of
from remora.features.tables import features_artifacts
from remora.serving.entity_contracts import ServingContracts
from remora.serving.entity_writes import EntityWrites
from remora.serving.routes import application
from remora.settings import Settings

JSON = {"content-type": "application/json"}
COLUMNS = pa.schema(
    [
        ("item_id", pa.string()),
        ("event_timestamp", TIMESTAMP),
        ("title", pa.string()),
        ("price", pa.float64()),
        ("year", pa.int64()),
        ("in_stock", pa.bool_()),
        ("released", TIMESTAMP),
        ("tags", pa.list_(pa.field("element", pa.string()))),
        ("__deleted", pa.bool_()),
    ]
)
ITEMS = EntityContract.of("items", COLUMNS)
USERS = EntityContract.of("users", pa.schema([("user_id", pa.string()), ("age", pa.int64())]))
WHOLE = {"title": "Thing", "price": 5, "year": 2026.0, "in_stock": True, "released": "2026-11-30T20:00:00+02:00",
         "tags": ["a b", "c"]}  # fmt: skip
KEPT = {"title": "Thing", "price": 5.0, "year": 2026, "in_stock": True, "tags": ["a b", "c"],
        "released": "2026-11-30T18:00:00.000000+00:00"}  # fmt: skip


def contract(kind: EntityKind) -> EntityContract:
    return {"items": ITEMS, "users": USERS}[kind]


def ask(app: FastAPI, *requests: tuple[str, str, dict[str, Any]]) -> list[httpx.Response]:
    """The answers to requests that are sent one after the other."""

    async def send() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
            return [await client.request(method, path, **content) for method, path, content in requests]

    return asyncio.run(send())


@pytest.fixture
def shop(tmp_path: Path) -> Settings:
    return settings().model_copy(update={"home": str(tmp_path)})


@pytest.fixture
def counts() -> list[tuple[str, str, int]]:
    return []


@pytest.fixture
def app(shop: Settings, counts: list[tuple[str, str, int]]) -> Iterator[FastAPI]:
    def intake(kind: EntityKind) -> EntityIntake:
        return entity_intake_of(shop, kind, counted=lambda result, count: counts.append((kind, result, count)))

    writes = EntityWrites(
        {kind: intake(kind) for kind in ENTITIES},
        contract,
        counted=lambda kind, result, count: counts.append((kind, result, count)),
    )
    yield application(Front(SmallShop()), entities=writes)
    writes.close()


def states(shop: Settings, kind: EntityKind = "items") -> dict[str, Any]:
    found = EntityStates.open(shop, kind)
    found.close()
    return {id: one.columns for id, one in found.current.items()}


def put(id: str, columns: Any, kind: str = "items") -> tuple[str, str, dict[str, Any]]:
    return "PUT", f"/v1/{kind}/{quote(id, safe='')}", {"json": columns}


def delete(id: str, kind: str = "items") -> tuple[str, str, dict[str, Any]]:
    return "DELETE", f"/v1/{kind}/{quote(id, safe='')}", {}


def test_what_is_put_is_on_the_disk_and_the_later_one_holds(
    app: FastAPI, shop: Settings, counts: list[tuple[str, str, int]]
) -> None:
    answers = ask(app, put("new", WHOLE), put("i03", {"price": None}), put("new", {"year": 7}), put("u", {}, "users"))
    assert [answer.status_code for answer in answers] == [200] * 4
    assert answers[0].json().keys() == {"id", "instant"}
    assert answers[0].json()["instant"] < answers[2].json()["instant"]
    assert states(shop) == {"new": {"year": 7}, "i03": {}}
    assert states(shop, "users") == {"u": {}}
    assert sorted(counts) == [("items", "taken", 1)] * 3 + [("users", "taken", 1)]


def test_values_are_kept_in_the_types_of_the_lake(app: FastAPI, shop: Settings) -> None:
    ask(app, put("new", WHOLE))
    assert states(shop) == {"new": KEPT}
    assert isinstance(states(shop)["new"]["price"], float)
    assert isinstance(states(shop)["new"]["year"], int)


def test_a_deletion_may_be_sent_again_and_of_an_unknown_item(app: FastAPI, shop: Settings) -> None:
    answers = ask(app, put("i03", {}), delete("i03"), delete("i03"), delete("never"), put("i04", {}), delete("i04"),
                  put("i04", {"title": "back"}), delete("u1", "users"))  # fmt: skip
    assert [answer.status_code for answer in answers] == [200] * 8
    assert states(shop) == {"i03": None, "never": None, "i04": {"title": "back"}}
    assert states(shop, "users") == {"u1": None}


@pytest.mark.parametrize("id", [*ODD, "x" * 256, "\x00", "a/../b", "é/%2F\t"])
def test_ids_may_be_odd(app: FastAPI, shop: Settings, id: str) -> None:
    answers = ask(app, put(id, {"title": "x"}), put(id, {}, "users"), delete(id, "users"))
    assert [answer.status_code for answer in answers] == [200] * 3
    assert {answer.json()["id"] for answer in answers} == {id}
    assert (states(shop), states(shop, "users")) == ({id: {"title": "x"}}, {id: None})


@pytest.mark.parametrize(
    ("content", "status", "kind", "says"),
    [
        ({"json": {"colour": "red"}}, 422, "invalid-request", "no column 'colour'; they have: title, price, year"),
        ({"json": {"item_id": "i"}}, 422, "invalid-request", "no column 'item_id'"),
        ({"json": {"event_timestamp": None}}, 422, "invalid-request", "no column 'event_timestamp'"),
        ({"json": {"__deleted": True}}, 422, "invalid-request", "no column '__deleted'"),
        ({"json": {"title": 7}}, 422, "invalid-request", "title takes text, and not 7"),
        ({"json": {"price": "7"}}, 422, "invalid-request", "price takes a number, and not '7'"),
        ({"json": {"price": True}}, 422, "invalid-request", "price takes a number, and not True"),
        ({"content": b'{"price": NaN}', "headers": JSON}, 422, "invalid-request", "price takes a number, and not nan"),
        ({"content": b'{"price": 1e999}', "headers": JSON}, 422, "invalid-request", "price takes a number"),
        ({"content": b'{"price": 1' + b"0" * 400 + b"}", "headers": JSON}, 422, "invalid-request", "a number"),
        ({"json": {"year": 1.5}}, 422, "invalid-request", "year takes an integer, and not 1.5"),
        ({"content": b'{"year": NaN}', "headers": JSON}, 422, "invalid-request", "year takes an integer"),
        ({"json": {"year": 2**63}}, 422, "invalid-request", "year takes an integer"),
        ({"json": {"in_stock": "yes"}}, 422, "invalid-request", "in_stock takes true or false, and not 'yes'"),
        ({"json": {"released": "2026-11-30"}}, 422, "invalid-request", "released takes a time"),
        ({"json": {"released": 1_700_000_000}}, 422, "invalid-request", "released takes a time"),
        ({"json": {"tags": "a"}}, 422, "invalid-request", "tags takes a list of texts"),
        ({"json": {"tags": ["a", None]}}, 422, "invalid-request", "tags takes a list of texts"),
        ({"json": {"tags": [[]]}}, 422, "invalid-request", "tags takes a list of texts"),
        ({"json": {"title": {"a": 1}}}, 422, "invalid-request", "title takes text"),
        ({"json": {"title": 7, "price": "x", "year": "y", "tags": 8}}, 422, "invalid-request", "and 1 more mistake"),
        ({"json": ["title"]}, 422, "invalid-request", "contract"),
        ({"json": None}, 422, "invalid-request", "contract"),
        ({}, 422, "invalid-request", "contract"),
        ({"json": {f"c{n}": n for n in range(300)}}, 400, "invalid-json", "300 members"),
        ({"content": b'{"title": "a", "title": "b"}', "headers": JSON}, 400, "invalid-json", "twice"),
        ({"content": b'{"title": "\\ud800"}', "headers": JSON}, 400, "invalid-json", "half a surrogate pair"),
        ({"content": b'{"title": "' + b"x" * (1 << 20) + b'"}', "headers": JSON}, 413, "request-entity-too-large", ""),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_whole(
    app: FastAPI, shop: Settings, content: dict[str, Any], status: int, kind: str, says: str
) -> None:
    (answer,) = ask(app, ("PUT", "/v1/items/i03", content))
    assert_problem(answer, status, kind, says)
    assert states(shop) == {}


def test_each_mistake_has_its_place(app: FastAPI, counts: list[tuple[str, str, int]]) -> None:
    (answer,) = ask(app, put("i03", {"title": 7, "price": 2, "colour": "red"}))
    assert {one["pointer"]: one["detail"] for one in answer.json()["errors"]} == {
        "/title": "title takes text, and not 7",
        "/colour": "the items have no column 'colour'; they have: title, price, year, in_stock, released, tags",
    }
    assert counts == [("items", "refused", 1)]


@pytest.mark.parametrize("path", ["/v1/items/", f"/v1/items/{'x' * 300}", f"/v1/users/{'x' * 257}"])
def test_an_id_is_not_empty_and_not_too_long(app: FastAPI, shop: Settings, path: str) -> None:
    for answer in ask(app, ("PUT", path, {"json": {}}), ("DELETE", path, {})):
        assert (answer.status_code, answer.json()["type"]) == (422, "urn:remora:problem:invalid-request")
        assert "_id" in answer.json()["detail"]
    assert (states(shop), states(shop, "users")) == ({}, {})


def test_an_id_that_ends_with_a_line_break_is_not_taken_for_another(app: FastAPI, shop: Settings) -> None:
    for answer in ask(app, put("50\n", {}), delete("50\n"), put("5\n0", {})):
        assert answer.status_code in (404, 422)
    assert states(shop) == {}


def test_on_a_full_disk_nothing_is_taken_and_slates_are_served(
    app: FastAPI, shop: Settings, monkeypatch: pytest.MonkeyPatch, counts: list[tuple[str, str, int]]
) -> None:
    def full(log: FileLog, records: Sequence[bytes]) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(FileLog, "append", full)
    refused, gone, served = ask(
        app, put("i03", {}), delete("i03"), ("POST", "/v1/recommend", {"json": {"user_id": "u1", "n": 3}})
    )
    for answer in (refused, gone):
        assert_problem(answer, 503, "unavailable", "Items cannot be written now (No space left on device)")
        assert answer.headers["retry-after"] == "2"
    assert len(served.json()["items"]) == 3
    monkeypatch.undo()
    assert ask(app, put("i03", {}))[0].status_code == 200
    assert states(shop) == {"i03": {}}
    assert [one[1] for one in counts] == ["not taken", "not taken", "taken"]


def test_before_a_lake_serves_puts_wait_and_what_is_deleted_is(shop: Settings) -> None:
    writes = EntityWrites.of(shop)
    waits, gone = ask(application(Front(SmallShop()), entities=writes), put("i03", {}), delete("i03"))
    writes.close()
    assert_problem(waits, 503, "unavailable", "columns of items and users are not known yet")
    assert gone.status_code == 200


def test_without_them_there_are_no_such_paths() -> None:
    for answer in ask(application(Front(SmallShop())), put("i03", {}), delete("u", "users")):
        assert_problem(answer, 404, "not-found", "/v1/")


def test_the_contract_is_that_of_the_lake_whose_features_are_online(tmp_path: Path) -> None:
    make_lake(tmp_path, **shop_tables())
    now = [0.0]
    contracts = ServingContracts(Home(str(tmp_path)), clock=lambda: now[0])
    with pytest.raises(NotReady, match="not known yet"):
        contracts.of("items")
    publish(tmp_path, "tables1", "lake1")
    assert contracts.of("items").types == {
        "title": "string", "tags": "list<item: string>", "in_stock": "bool", "price": "double",
    }  # fmt: skip
    assert contracts.of("users").types == {"age": "int64", "city": "string"}
    tables = shop_tables()
    make_lake(tmp_path, tables["events"], tables["users"].drop_columns(["city"]), tables["items"], "lake2")
    publish(tmp_path, "tables2", "lake2")
    assert "city" in contracts.of("users").types
    now[0] += 5
    assert contracts.of("users").types == {"age": "int64"}


def publish(home: Path, version: str, lake: str) -> None:
    artifacts = features_artifacts(Home(str(home)))
    artifacts.commit(artifacts.staging(version), lake=lake)


def test_the_document_of_the_api_has_the_columns(app: FastAPI) -> None:
    (answer,) = ask(app, ("GET", "/openapi.json", {}))
    paths = answer.json()["paths"]
    [items, users] = [
        paths[f"/v1/{path}"]["put"]["requestBody"]["content"]["application/json"]["schema"]
        for path in ("items/{item_id}", "users/{user_id}")
    ]
    assert [*items["properties"]] == ["title", "price", "year", "in_stock", "released", "tags"]
    assert users["properties"] == {"age": {"anyOf": [{"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1},
                                                     {"type": "null"}]}}  # fmt: skip
    assert "x-columns" not in json.dumps(answer.json())


def test_a_path_says_all_the_methods_that_it_answers(app: FastAPI) -> None:
    (answer,) = ask(app, ("PATCH", "/v1/items/i03", {"json": {}}))
    assert_problem(answer, 405, "method-not-allowed", "PATCH is not what")
    assert answer.headers["allow"] == "DELETE, PUT"
