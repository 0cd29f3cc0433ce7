"""A sample of the slates is logged with what the scorer read of their items, in both topologies."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from tests.serving.small_shop import USERS, SmallShop, regulars, settings

from remora.datasets.hash_sampling import in_sample
from remora.events.feature_encoding import decode_rows
from remora.events.segment import records
from remora.feedback.served_slate import ServedSlate
from remora.pipeline import Candidates, Query
from remora.serving.executors import FusedExecutor
from remora.serving.recommender import FEATURES, Recommender
from remora.serving.requests import RequestContext
from remora.serving.schemas import RecommendRequest
from remora.serving.stage_pool import StagePool

MANY = tuple(f"r{number}" for number in range(100))


def answered(share: float, *, logged: bool = True) -> tuple[list[ServedSlate], list[Query]]:
    """Slates of the shop as sinks get them, and the queries of which they were made."""
    shop, taken, asked = SmallShop(settings()), list[ServedSlate](), list[Query]()
    events = shop.settings.events.model_copy(update={"log_features_share": share})
    loaded = SmallShop(shop.settings.model_copy(update={"events": events})).load()

    class Watched(FusedExecutor):
        async def slate(self, query: Query) -> Any:
            asked.append(query)
            return await super().slate(query)

    async def ask() -> None:
        recommender = Recommender(
            loaded, Watched(loaded, StagePool(1)), shop.settings.serving, sinks=(taken.append,) if logged else ()
        )
        for number, request in enumerate(MANY):
            user = RecommendRequest(user_id=USERS[number % len(USERS)], n=3)
            await recommender.recommend(user, RequestContext(request))
        recommender.after.flush()

    asyncio.run(ask())
    return taken, asked


def check(user: str, items: list[str], features: np.ndarray) -> None:
    """The features are what the shop's scorer reads of these items for the user."""
    shop = SmallShop(settings())
    context = shop.context("small")
    rows = context.vocabulary.rows(items)
    query = Query(request_id="r", surface="home_feed", n=3, instant=context.instant(), user_id=user)
    read = context.scorer.predict(regulars().hydrate(query), Candidates.unfound(rows))  # type: ignore[union-attr]
    np.testing.assert_allclose(features, read.features.values, rtol=1e-6)
    np.testing.assert_array_equal(features[:, 0], rows)


def test_the_sample_is_by_a_hash_of_the_request_and_the_same_each_time() -> None:
    slates, _ = answered(0.3)
    sampled = [one.request_id for one in slates if one.features is not None]
    assert sampled == [request for request, is_in in zip(MANY, in_sample(MANY, 0.3, FEATURES), strict=True) if is_in]
    assert 15 < len(sampled) < 45
    for slate in slates:
        if slate.features is not None and slate.user_id is not None:
            check(slate.user_id, [item.item_id for item in slate.items], slate.features.values)
        assert [len(of) for of in slate.predictions.values()] == [3]


@pytest.mark.parametrize(("share", "logged"), [(0.0, True), (1.0, False)])
def test_without_a_share_and_without_a_log_no_features_are_kept(share: float, logged: bool) -> None:
    slates, asked = answered(share, logged=logged)
    assert not any(query.log_features for query in asked)
    assert [slate.features for slate in slates] == [None] * (len(MANY) if logged else 0)


def logged_by(folder: Path) -> Iterator[dict[str, Any]]:
    for path in sorted((folder / "slates").glob("*")):
        yield from (json.loads(record.content) for record in records(path))


@pytest.mark.parametrize("topology", ["fused", "graph"])
def test_a_deployed_shop_logs_what_its_scorer_read(served: str, log_of_served: Path, topology: str) -> None:
    share = settings(log="/there").events.log_features_share
    names = [f"{topology}-{number}" for number in range(8)]
    expected = {name for name, is_in in zip(names, in_sample(names, share, FEATURES), strict=True) if is_in}
    assert 0 < len(expected) < len(names)
    found: dict[str, dict[str, Any]] = {}
    for turn in range(500):  # the log is written a moment after the answers
        name = names[turn % len(names)]
        answer = httpx.get(
            f"{served}/{topology}/v1/recommend/{USERS[turn % 8]}", params={"n": 4}, headers={"x-request-id": name}
        )
        assert len(answer.json()["items"]) == 4
        found = {one["request_id"]: one for one in logged_by(log_of_served) if one["request_id"] in names}
        if set(found) == set(names):
            break
    assert {name for name, one in found.items() if "features" in one} == expected
    for name, one in found.items():
        (predicted,) = one["predictions"]
        assert (predicted["objective"], len(predicted["values"])) == ("bought", 4)
        if name in expected:
            check(one["user_id"], [item["item_id"] for item in one["items"]], decode_rows(one["features"]).values)
