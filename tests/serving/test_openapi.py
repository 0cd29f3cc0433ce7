"""The API's document says which surfaces are served, and what a request for one must have."""

from __future__ import annotations

from typing import Any

import pytest
from tests.serving.small_shop import SmallShop, settings
from tests.serving.test_routes import Front, asking

from remora.serving.openapi import with_surfaces
from remora.serving.schemas import OF_SURFACES, SEEDED
from remora.settings import Settings

MORE = {"cart": {"preset": "frequently_bought_together"}, "row": {"preset": "trending"}}


def front() -> Front:
    return Front(SmallShop(Settings.model_validate({**settings().model_dump(), "surfaces": MORE})))


def test_the_document_names_the_surfaces_that_are_served() -> None:
    document = asking(front())("GET", "/openapi.json").json()
    schemas = document["components"]["schemas"]
    assert schemas["RecommendRequest"]["properties"]["surface"]["enum"] == ["home_feed", "similar_items", "cart", "row"]
    assert schemas["RecommendRequest"]["if"]["properties"]["surface"] == {"enum": ["similar_items", "cart"]}
    parameters = {
        (path, one["name"]): one["schema"].get("enum")
        for path in ("/v1/recommend/{user_id}", "/v1/similar/{item_id}")
        for one in document["paths"][path]["get"]["parameters"]
    }
    assert parameters["/v1/recommend/{user_id}", "surface"] == ["home_feed", "row"]
    assert parameters["/v1/similar/{item_id}", "surface"] == ["similar_items", "cart"]
    assert OF_SURFACES not in str(document)


def test_without_a_surface_that_needs_an_item_nothing_is_demanded() -> None:
    document = {"a": {OF_SURFACES: "seed_item_id", "type": "object"}, "b": {OF_SURFACES: SEEDED}}
    assert with_surfaces(document, {"row": False}) == {"a": {"type": "object"}, "b": {"enum": []}}


@pytest.mark.parametrize(
    ("method", "path", "content", "surface"),
    [
        ("POST", "/v1/recommend", {"json": {"user_id": "u5", "surface": "row"}}, "row"),
        ("GET", "/v1/recommend/u5?surface=row", {}, "row"),
        ("GET", "/v1/similar/i20?surface=cart", {}, "cart"),
        ("GET", "/v1/similar?item_id=i20&surface=cart", {}, "cart"),
    ],
)
def test_each_is_answered(method: str, path: str, content: dict[str, Any], surface: str) -> None:
    answer = asking(front())(method, path, **content).json()
    assert answer["surface"] == surface
    assert len(answer["items"]) == 10


def test_one_that_is_not_there_and_one_without_its_item_are_refused_in_words() -> None:
    ask = asking(front())
    unknown = ask("POST", "/v1/recommend", json={"user_id": "u5", "surface": "shelf"})
    assert unknown.status_code == 422
    assert "There are: home_feed, similar_items, cart, row." in unknown.json()["detail"]
    seedless = ask("POST", "/v1/recommend", json={"user_id": "u5", "surface": "cart"})
    assert "The surface cart needs context.seed_item_id" in seedless.json()["detail"]
