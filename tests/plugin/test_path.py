"""The installed package goes the whole path: ingest, features, training, bundle, gates, serving, explanation."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import polars as pl
import pytest
import yaml
from tests.docs.pages import ROOT
from tests.end_to_end.dataset import write
from tests.extensions.packages import PLUGIN_NAME, PLUGIN_VERSION
from tests.plugin.settings import CHANGES, MOST, over
from tests.serving.test_routes import Ask, Front, asking

from remora.core.home import Home
from remora.ranking.scorer import ObjectiveScorer
from remora.registry.bundles import Bundles
from remora.release.gates.run import cached_report
from remora.retrieval.two_tower import Towers
from remora.serving.bundle_loader import BundleLoader
from remora.serving.loaded_bundle import LoadedBundle
from remora.settings import Settings, load
from remora.settings.retrieval import TWO_TOWER
from remora.steps.path import EVALUATE
from remora.workflow.evaluation import read_evaluation

pytestmark = pytest.mark.slow  # a whole run of the path, on a cluster of its own

USERS = [f"u{number}" for number in range(0, 240, 24)]
N = 8


class Loader(BundleLoader):
    """Loads what it names."""

    def load(self) -> LoadedBundle:
        return LoadedBundle.load(self, self.bundle)


@pytest.fixture(scope="module")
def shop(plugin: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The small shop, whose settings name every component of the package, after `remora run`."""
    folder = tmp_path_factory.mktemp("shop")
    config = write(folder)
    settings = over(yaml.safe_load(config.read_text()), CHANGES)
    settings["retrieval"] |= {"epochs": 1, "workers": 1}
    settings["ranking"]["workers"] = 1
    config.write_text(yaml.safe_dump(settings | {"home": str(folder / "home"), "cluster": {"cpus": 2}}))
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("REMORA_", "RAY_"))}
    path = os.pathsep.join([str(plugin), str(ROOT / "platform"), inherited.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-m", "remora.cli.main", "run", "--config", str(config)],
        cwd=folder,
        env=inherited | {"RAY_AUTH_MODE": "disabled", "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return load(config)


@pytest.fixture(scope="module")
def loader(shop: Settings) -> Loader:
    return Loader.named(shop, "production")


@pytest.fixture(scope="module")
def ask(loader: Loader) -> Ask:
    return asking(Front(cast(Any, loader)))


def slate(ask: Ask, **request: Any) -> list[dict[str, Any]]:
    answer = ask("POST", "/v1/recommend", json={"n": N, **request}).json()
    assert answer["degraded"] == []
    assert len(answer["items"]) == N
    items: list[dict[str, Any]] = answer["items"]
    return items


@pytest.fixture(scope="module")
def prices(shop: Settings) -> dict[str, float]:
    items = pl.read_csv(Path(shop.home).parent / "things.csv")
    return dict(zip(items["thing"], items["price"], strict=True))


def test_its_surface_is_answered_by_its_source_and_its_filter(ask: Ask, prices: dict[str, float]) -> None:
    for user in USERS:
        items = slate(ask, user_id=user, surface="today")
        assert items[0]["sources"] == ["popular_on_weekday"]
        assert {source for item in items for source in item["sources"]} <= {"popular_on_weekday", "backfill"}
        assert all(prices[item["item_id"]] <= 50 for item in items)


def test_the_home_feed_obeys_its_filter_and_shows_what_its_source_found(ask: Ask, prices: dict[str, float]) -> None:
    found = [item for user in USERS for item in slate(ask, user_id=user)]
    assert all(prices[item["item_id"]] <= MOST for item in found)
    assert any("popular_on_weekday" in item["sources"] for item in found)


def test_a_cart_makes_a_visitor_s_slate_personal(ask: Ask, prices: dict[str, float]) -> None:
    cart = list(prices)[:3]
    with_cart = [item["item_id"] for item in slate(ask, user_id=None, context={"cart": ",".join(cart)})]
    assert with_cart != [item["item_id"] for item in slate(ask, user_id=None)]
    assert not set(with_cart) & set(cart)


def test_explanations_name_its_source_its_filter_and_its_feature(ask: Ask, prices: dict[str, float]) -> None:
    shown = slate(ask, user_id=USERS[0], surface="today")[0]["item_id"]
    found = ask("GET", f"/v1/explain/{USERS[0]}/{shown}", params={"surface": "today", "n": N}).json()
    assert (found["shown"], [one["source"] for one in found["sources"]]) == (True, ["popular_on_weekday"])
    removed = {
        ask("GET", f"/v1/explain/{USERS[0]}/{item}").json()["removed_by"]
        for item, price in list(prices.items())[:40]
        if price > MOST
    }
    assert "price_limit" in removed
    assert removed <= {"price_limit", "seen_items", "unavailable_items"}
    ranked = slate(ask, user_id=USERS[0])[0]["item_id"]
    (first, *_) = ask("GET", f"/v1/explain/{USERS[0]}/{ranked}").json()["predictions"]
    assert first["base_value"] is not None
    assert first["contributions"]


def test_the_towers_read_histories_by_its_encoder(loader: Loader) -> None:
    towers = loader.load().context.models[TWO_TOWER]
    assert isinstance(towers, Towers)
    assert type(towers.encoder.tower.reader.encoder).__name__ == "GruNetwork"
    assert towers.encoder.spec.encoder.brief == {"type": "gru", "units": 24}


def test_the_ranker_is_its_model_over_its_feature_view(loader: Loader) -> None:
    scorer = loader.load().context.scorer
    assert isinstance(scorer, ObjectiveScorer)
    assert [type(model).__name__ for model in scorer.ranker.models.values()] == ["LightGBMRanker"]
    assert {"user_weekend__events", "user_weekend__share"} <= set(scorer.ranker.columns.names)
    assert "candidate__popular_on_weekday_rank" in scorer.ranker.columns.names


def test_the_evaluation_has_its_metric(shop: Settings) -> None:
    report = read_evaluation(EVALUATE.artifacts(Home(shop.home)).current()).ranked
    assert 0 < report.estimate("surface", "precision", 10).mean < 1
    assert report.titles["precision"] == "precision"


def test_the_gates_passed_and_the_lineage_names_the_package(shop: Settings, loader: Loader) -> None:
    bundle = Bundles(shop).inspect(loader.bundle)
    gates = cached_report(shop, loader.bundle)
    assert gates is not None
    assert gates.passed
    own = [c for c in bundle.lineage().components if c.package == PLUGIN_NAME]
    assert {c.version for c in own} == {PLUGIN_VERSION}
    assert {c.kind for c in own} == {
        *("retrieval model", "history encoder", "loss", "ranking model"),
        *("hydrator", "source", "filter", "surface", "transform"),
    }
    assert "models/weekday_popularity/weekdays.parquet" in bundle.manifest.files
