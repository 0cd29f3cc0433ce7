"""Requests of the shop whose features were logged: computed again they are the same, and what is changed is named."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from tests.shops import Shop
from typer.testing import CliRunner

from remora.cli.main import app
from remora.core.errors import NotReady
from remora.core.home import Home
from remora.core.parquet import parquet_bytes
from remora.events.slate_log import encoded
from remora.events.tables import SLATES, slate_tables
from remora.features.logged_parity import LoggedParityReport
from remora.features.store import apply, open_store
from remora.feedback.served_slate import ServedSlate
from remora.ingest.lake import Lake
from remora.ranking.ranker import Ranker
from remora.serving.bundle_loader import BundleLoader
from remora.serving.executors import FusedExecutor
from remora.serving.loaded_bundle import LoadedBundle
from remora.serving.recommender import Recommender
from remora.serving.requests import RequestContext
from remora.serving.schemas import SEED, RecommendRequest
from remora.serving.stage_pool import StagePool
from remora.settings import Settings
from remora.wiring import cluster
from remora.wiring.bundle_columns import columns_of_bundles
from remora.wiring.logged_requests import (
    BUNDLE_GONE,
    COLUMNS,
    OTHER_SCHEMA,
    WITHOUT_USER,
    latest_logged,
    logged_parity,
)

USERS = [*(f"u{n}" for n in range(0, 240, 8)), "nobody", None]


@pytest.fixture(scope="module")
def settings(shop: Shop) -> Settings:
    events = shop.settings.events.model_copy(update={"log_features_share": 1.0})
    return shop.settings.model_copy(update={"events": events})


@pytest.fixture(scope="module")
def loaded(settings: Settings) -> LoadedBundle:
    loader = BundleLoader.named(settings, "production")
    return LoadedBundle.load(loader, loader.bundle)


@pytest.fixture(scope="module")
def slates(settings: Settings, loaded: LoadedBundle) -> list[ServedSlate]:
    """Of both surfaces, as sinks get them."""
    taken: list[ServedSlate] = []

    async def ask() -> None:
        recommender = Recommender(loaded, FusedExecutor(loaded, StagePool(1)), settings.serving, sinks=(taken.append,))
        for number, user in enumerate(USERS):
            for surface, context in (("home_feed", {}), ("similar_items", {SEED: "i5"})):
                request = RecommendRequest(user_id=user, surface=surface, n=6, context=context)
                await recommender.recommend(request, RequestContext(f"{surface}-{number}", timeout_ms=3_000))
        recommender.after.flush()

    asyncio.run(ask())
    return taken


@pytest.fixture(scope="module")
def requests(slates: list[ServedSlate]) -> pa.Table:
    ranked = [one for one in slates if one.features is not None]
    return slate_tables([encoded(one) for one in ranked], as_events=False)[SLATES].select(COLUMNS)


@pytest.fixture(scope="module")
def compare(settings: Settings) -> Callable[[pa.Table], LoggedParityReport]:
    lake, store = Lake.open(Home(settings.home)), open_store(settings)
    return lambda requests: logged_parity(settings, lake, store, requests)


def replaced(requests: pa.Table, name: str, values: list[object]) -> pa.Table:
    index = requests.column_names.index(name)
    return requests.set_column(index, name, pa.array(values, requests.schema.field(name).type))


def test_slates_have_what_the_ranker_predicted_and_read(slates: list[ServedSlate], loaded: LoadedBundle) -> None:
    ranker: Ranker = loaded.context.scorer.ranker  # type: ignore[union-attr]
    ranked = [slate for slate in slates if slate.features is not None]
    assert len(ranked) >= len(USERS)
    for slate in ranked:
        assert slate.features is not None
        assert slate.features.schema == ranker.columns.schema_hash
        assert slate.features.values.shape == (len(slate.items), len(ranker.columns.columns))
        assert set(slate.predictions) <= set(ranker.objectives)
        assert {len(of) for of in slate.predictions.values()} == {len(slate.items)}


def test_computed_again_nothing_differs(requests: pa.Table, compare: Callable[[pa.Table], LoggedParityReport]) -> None:
    report = compare(requests)
    assert report.differences == ()
    assert (report.requests, report.left_out) == (len(requests), {})
    assert report.rows == sum(map(len, requests["features"].to_pylist()))
    assert report.columns > 10


def test_a_planted_difference_is_named_with_its_request(
    requests: pa.Table, settings: Settings, compare: Callable[[pa.Table], LoggedParityReport]
) -> None:
    [columns] = columns_of_bundles(settings, requests["bundle"].to_pylist()).values()
    planted = columns.names.index("item_profile__price")
    features = requests["features"].to_pylist()
    features[4][2][planted] *= 100
    [difference] = compare(replaced(requests, "features", features)).differences
    assert (difference.column, difference.rows) == ("item_profile__price", 1)
    item, request = requests["items"][4].as_py()[2]["item_id"], requests["request_id"][4].as_py()
    assert difference.example == f"item {item} of request {request}"
    assert float(difference.served) == pytest.approx(100 * float(difference.recomputed))


def test_requests_that_cannot_be_compared_are_counted(
    requests: pa.Table, compare: Callable[[pa.Table], LoggedParityReport]
) -> None:
    some = requests.slice(0, 8)
    bundle, schema = some["bundle"].to_pylist(), some["feature_schema"].to_pylist()
    some = replaced(some, "bundle", ["0" * 16, *bundle[1:]])
    some = replaced(some, "feature_schema", [schema[0], "another", *schema[2:]])
    some = replaced(some, "degraded", [[], [], ["user_store: it is out"], *([[]] * 5)])
    report = compare(some)
    assert report.left_out == {BUNDLE_GONE: 1, OTHER_SCHEMA: 1, WITHOUT_USER: 1}
    assert (report.requests, report.differences) == (5, ())


def test_the_command_compares_the_latest_of_a_home(
    settings: Settings, slates: list[ServedSlate], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cluster, "connect", lambda settings: None)  # the session's is there
    monkeypatch.setenv("REMORA_HOME", str(tmp_path / "home"))
    shutil.copytree(settings.home, tmp_path / "home")
    apart = settings.model_copy(update={"home": str(tmp_path / "home")})
    apply(apart)
    command = ["features", "parity", "--logged", "7", "--config", str(Path(settings.home).parent / "settings.yaml")]
    with pytest.raises(NotReady, match=r"above 0, and run `remora events collect`"):
        CliRunner().invoke(app, command, catch_exceptions=False)

    home = Home(apart.home)
    for number, start in enumerate(range(0, len(slates), 20)):
        table = slate_tables([encoded(one) for one in slates[start : start + 20]], as_events=False)[SLATES]
        home.write_bytes(f"{SLATES}/{number:08d}.parquet", parquet_bytes(table))
    latest = latest_logged(home, 7)
    ranked = sorted((one for one in slates if one.features is not None), key=lambda one: one.served_at)
    assert latest["request_id"].to_pylist() == [one.request_id for one in ranked[-7:]]
    ended = CliRunner().invoke(app, command, catch_exceptions=False)
    assert (ended.exit_code, "in 7 requests: 0 differ" in " ".join(ended.output.split())) == (0, True), ended.output
