"""Ids as shops have them: slashes, spaces, percent signs, URLs, brackets. Each is answered, by path, query and body."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.serving.small_shop import SmallShop
from tests.serving.test_routes import Ask, Front, asking

ODD = (
    "AC/DC",
    "corp/u1",
    "a b",
    "50%2Foff",
    "50%",
    "https://shop.example/p?id=3#x",
    "sku[red]4",
    "söck",
    "a//b/",
    "/",
    "u+1&n=3",
    "explain/x",
    "\x1b[2J",
)
ASK = asking(Front(SmallShop()))


@pytest.fixture(scope="module")
def ask() -> Ask:
    return ASK


def said_of_unknown(name: str) -> list[str]:
    return [f"user_unknown: nothing is known of '{name}', so the slate is not personal"]


@pytest.mark.parametrize("name", ODD)
class TestAnOddId:
    def test_of_a_user_is_answered(self, ask: Ask, name: str) -> None:
        for answer in (
            ask("GET", f"/v1/recommend/{quote(name, safe='')}"),
            ask("POST", "/v1/recommend", json={"user_id": name}),
        ):
            assert answer.status_code == 200, answer.text
            assert answer.json()["degraded"] == said_of_unknown(name)

    def test_of_an_item_is_looked_for(self, ask: Ask, name: str) -> None:
        for answer in (
            ask("GET", f"/v1/similar/{quote(name, safe='')}"),
            ask("GET", "/v1/similar", params={"item_id": name}),
        ):
            assert answer.status_code == 404
            assert f"item '{name}'" in answer.json()["detail"]

    def test_of_a_user_and_of_an_item_are_distinguished(self, ask: Ask, name: str) -> None:
        for answer in (
            ask("GET", f"/v1/explain/{quote(name, safe='')}/i21"),
            ask("POST", "/v1/explain", json={"user_id": name, "item_id": "i21"}),
        ):
            assert answer.status_code == 200, answer.text
            assert (answer.json()["user_id"], answer.json()["item_id"]) == (name, "i21")
        for user in ("u5", name):
            missing = ask("GET", f"/v1/explain/{quote(user, safe='')}/{quote(name, safe='')}")
            assert f"item '{name}'" in missing.json()["detail"]


@given(st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=20))
@settings(max_examples=50)
def test_whatever_an_id_is_it_comes_back(name: str) -> None:
    posted = ASK("POST", "/v1/explain", json={"user_id": name, "item_id": "i21"})
    assert posted.json()["user_id"] == name
    if "\n" not in name and name not in {".", ".."}:
        assert ASK("GET", f"/v1/explain/{quote(name, safe='')}/i21").json() == posted.json()


def test_a_slash_that_stands_as_it_is_belongs_to_the_last_id(ask: Ask) -> None:
    assert ask("GET", "/v1/recommend/corp/u1").json()["degraded"] == said_of_unknown("corp/u1")
    assert "item 'AC/DC'" in ask("GET", "/v1/explain/u5/AC/DC").json()["detail"]


def test_no_id_is_a_mistake_of_the_request(ask: Ask) -> None:
    for path in ("/v1/recommend/", "/v1/similar/", "/v1/similar", "/v1/explain/u5/"):
        assert ask("GET", path).status_code == 422, path
