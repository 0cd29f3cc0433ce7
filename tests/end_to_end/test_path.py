"""From tables to slates: the path is whole, a second run is a look-up, and three ways give the same slates."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from jobs import run_step
from tests.shops import Shop

from remora.core.errors import NotFound
from remora.core.home import Home
from remora.features.replay import ReplayUsers
from remora.features.store import open_store
from remora.ingest.lake import Lake
from remora.pipeline import Query
from remora.registry.bundles import Bundles
from remora.serving.app import assemble
from remora.serving.batch import recommend_all
from remora.serving.bundle_loader import BundleLoader
from remora.serving.explanation import Explanation, explain
from remora.serving.loaded_bundle import LoadedBundle
from remora.serving.requests import RequestContext, item_row, to_query
from remora.serving.schemas import RecommendRequest
from remora.wiring.bundle_contents import trained_models
from remora.workflow import path
from remora.workflow.evaluation import read_evaluation

N = 8
USERS = [f"u{n}" for n in range(0, 240, 12)]


@pytest.fixture(scope="module")
def loader(shop: Shop) -> BundleLoader:
    return BundleLoader.named(shop.settings, "production")


@pytest.fixture(scope="module")
def endpoint(loader: BundleLoader, serve_url: str) -> Iterator[str]:
    from ray import serve

    serve.run(assemble(loader, "fused"), name="shop", route_prefix="/shop")
    yield f"{serve_url}/shop"
    serve.delete("shop")


def test_every_step_ends_and_the_last_one_promotes(shop: Shop) -> None:
    assert list(shop.steps)[-1] == "promote"
    assert Bundles(shop.settings).resolve("production") == shop.steps["promote"].result.bundle


def test_a_second_run_makes_nothing_again(shop: Shop) -> None:
    again = {done.step.name: done for done in path.run(shop.settings)}
    for name in (
        "ingest",
        "feature build",
        "train retrieval",
        "train models",
        "train ranking",
        "evaluate",
        "bundle",
        "gates",
    ):
        assert again[name].unchanged, name
    assert again["promote"].result.bundle == shop.steps["promote"].result.bundle


def test_the_surface_finds_the_taste_that_was_planted(shop: Shop) -> None:
    found = read_evaluation(shop.steps["evaluate"].result).ranked
    assert found.queries["all"] > 100
    assert found.difference("popularity", "ndcg", 10).low > 0  # type: ignore[operator]


def test_no_user_is_shown_what_they_have_seen_or_what_is_not_on_sale(shop: Shop, loader: BundleLoader) -> None:
    lake = Lake.open(Home(shop.settings.home))
    events = pl.concat([pl.DataFrame(pl.from_arrow(b)) for b in lake.events().iter_batches(batch_format="pyarrow")])
    items = pl.DataFrame(pl.from_arrow(lake.items()))
    gone = set(items.filter(~pl.col("on_sale"))["item_id"])
    for user, slate in replayed(shop, loader).items():
        seen = set(events.filter(pl.col("user_id") == user)["item_id"])
        assert len(slate) == N
        assert not set(slate) & (seen | gone)


def test_the_server_the_batch_and_the_replay_give_the_same_slates(
    shop: Shop, loader: BundleLoader, endpoint: str, tmp_path: Path
) -> None:
    served = {}
    for user in USERS:
        answer = httpx.get(f"{endpoint}/v1/recommend/{user}", params={"n": N}, timeout=60).json()
        assert answer["degraded"] == []
        served[user] = [item["item_id"] for item in answer["items"]]
    made = recommend_all(loader, pa.array(USERS), Home(str(tmp_path)), n=N)
    rows = pl.DataFrame(pl.from_arrow(pq.read_table(made.at("slates")))).sort("user_id", "position")
    batch = {user: rows.filter(pl.col("user_id") == user)["item_id"].to_list() for user in USERS}
    assert served == batch == replayed(shop, loader)


def test_why_an_item_is_shown_adds_up_and_why_not_names_the_stage(shop: Shop, loader: BundleLoader) -> None:
    loaded, slates = LoadedBundle.load(loader, loader.bundle), replayed(shop, loader)
    user = USERS[3]

    def asked(item: str) -> Explanation:
        query = to_query(loaded, RecommendRequest(user_id=user, n=N), RequestContext("why"), shop.settings.serving)
        return explain(loaded, query, item_row(loaded, item))

    for place, item in enumerate(slates[user], 1):
        found = asked(item)
        assert (found.shown, found.rank) == (True, place)
        assert found.sources
        assert found.score == pytest.approx(sum(one.prediction * one.weight for one in found.predictions), abs=1e-5)
        for one in found.predictions:
            assert one.base_value is not None
            assert len(one.contributions) > 3
    lake = Lake.open(Home(shop.settings.home))
    events = pl.concat([pl.DataFrame(pl.from_arrow(b)) for b in lake.events().iter_batches(batch_format="pyarrow")])
    items = pl.DataFrame(pl.from_arrow(lake.items()))
    seen = set(events.filter(pl.col("user_id") == user)["item_id"])
    assert {asked(item).removed_by for item in seen} == {"seen_items"}
    gone = set(items.filter(~pl.col("on_sale"))["item_id"]) - seen
    assert {asked(item).removed_by for item in gone} == {"unavailable_items"}
    with pytest.raises(NotFound, match="no item"):
        asked("nothing")


def test_models_that_a_step_trained_serve_surfaces_of_their_own(
    shop: Shop, loader: BundleLoader, endpoint: str
) -> None:
    served, sources = {}, set()
    for user in USERS:
        asked = {"user_id": user, "n": N, "surface": "next_up"}
        items = httpx.post(f"{endpoint}/v1/recommend", json=asked, timeout=60).json()["items"]
        served[user] = [item["item_id"] for item in items]
        sources |= {source for item in items for source in item["sources"]}
    assert served == replayed(shop, loader, "next_up")
    assert sources == {"next"}
    alike = httpx.get(f"{endpoint}/v1/similar/i9", params={"n": 5, "surface": "alike"}, timeout=60).json()
    assert {source for item in alike["items"] for source in item["sources"]} == {"goes_with"}
    in_bundle = loader.context(loader.bundle).models
    for name, model in trained_models(shop.settings).items():
        for row in model.items.rows:
            np.testing.assert_array_equal(model.of_item(row), in_bundle[name].of_item(row))


def test_an_unknown_user_gets_a_full_slate_and_the_reason(endpoint: str) -> None:
    answer = httpx.post(f"{endpoint}/v1/recommend", json={"user_id": "nobody", "n": N}, timeout=60).json()
    assert len(answer["items"]) == N
    assert any("user_unknown" in reason for reason in answer["degraded"])


def test_similar_items_are_of_the_same_category_more_often_than_not(shop: Shop, endpoint: str) -> None:
    items = pl.DataFrame(pl.from_arrow(Lake.open(Home(shop.settings.home)).items()))
    shelf = dict(zip(items["item_id"], items["shelf"], strict=True))
    shares = []
    for item in [f"i{n}" for n in range(0, 180, 9)]:
        answer = httpx.get(f"{endpoint}/v1/similar/{item}", params={"n": 5}, timeout=60).json()
        assert item not in {i["item_id"] for i in answer["items"]}
        shares.append(np.mean([shelf[i["item_id"]] == shelf[item] for i in answer["items"]]))
    assert np.mean(shares) > 2 / 6


def replayed(shop: Shop, loader: BundleLoader, surface: str = "home_feed") -> dict[str, list[str]]:
    """Slates of the bundle's pipeline at the end of the data, with users from the offline store and the events."""
    lake, context = Lake.open(Home(shop.settings.home)), loader.context(loader.bundle)
    instant = context.instant()
    asked = pa.table(
        {"user_id": pa.array(USERS), "instant": pa.array([instant] * len(USERS), pa.timestamp("us", "UTC"))}
    )
    vocabulary = context.vocabulary
    users = ReplayUsers.prepare(open_store(shop.settings), lake, vocabulary, shop.settings, asked)
    replay = LoadedBundle.of(replace(context, users=users), bundle=loader.bundle)
    slates = {}
    for user in USERS:
        query = Query(request_id=user, surface=surface, n=N, instant=instant, user_id=user)
        slates[user] = vocabulary.to_ids(replay.run(query).candidates.rows)
    return slates


def test_a_job_runs_any_step(shop: Shop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("REMORA_HOME", shop.settings.home)
    run_step.main("train-ranking", str(Path(shop.settings.home).parent / "settings.yaml"))
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    trained = shop.steps["train ranking"].result
    assert (said["step"], said["unchanged"], said["version"]) == ("train ranking", True, trained.version)
    assert said["metrics"] == trained.metadata["metrics"]
