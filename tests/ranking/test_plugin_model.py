"""A ranking model that is not of Remora: trained beside the trees, blended, kept in a bundle, scored and explained."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.datasets.worlds import settings_for
from tests.extensions.packages import PLUGIN_NAME
from tests.ranking.worlds import COLUMNS, slates, vectors
from tests.registry.releases import LINEAGE, METRICS

from remora.core.errors import DataError, Refused
from remora.core.home import Home
from remora.ranking.ranker import Ranker
from remora.ranking.slates import Slates
from remora.ranking.trials import search_space, stage_count, stages
from remora.ranking.windows import RankingWindows
from remora.registry.bundles import Bundles
from remora.settings import BundleSettings, Settings
from remora.settings.bundle import FILE
from remora.training.ranking_fit import Fit, FittedRanker

BY_MODULE = "example_plugin.lightgbm_ranker:LightGBMRanker"
OBJECTIVES = {"engaged": {"events": ["like", "view"]}, "liked": {"events": ["like"], "loss": "pointwise"}}


def window(count: int, seed: int) -> Slates:
    """A candidate is liked when it is of kind `a` and its number is high: one split of a tree cannot tell."""
    found = slates(count, seed)
    kind, number = found.batch.features[:, 1], found.batch.features[:, 2]
    return replace(found, labels={**found.labels, "liked": ((kind == 0) & (number > 1)).astype(np.float32)})


WINDOWS = RankingWindows(columns=COLUMNS, train=window(120, seed=1), validation=window(60, seed=2))


def settings_with(home: str, type: str, *, trees: bool = True) -> Settings:
    boosted = {"type": type, "rounds": 30, "num_leaves": 7}
    weak = {"num_boost_round": 1, "max_depth": 1}
    models = {"trees": weak if trees else None, "boosted": boosted}
    return settings_for(Path(home), ranking={"models": models, "objectives": OBJECTIVES})


def fitted(settings: Settings) -> FittedRanker:
    home = Home(settings.home)
    fit = Fit(settings=settings, home=home, version="v", data=WINDOWS, vectors=vectors(), run=None, say=None, here=True)
    return fit.ranker()


@pytest.fixture(scope="module")
def trained(plugin: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, FittedRanker]:
    settings = settings_with(str(tmp_path_factory.mktemp("home")), BY_MODULE)
    return settings, fitted(settings)


def test_it_is_blended_with_the_trees_and_has_a_share(trained: tuple[Settings, FittedRanker]) -> None:
    settings, found = trained
    blend = found.ranker.spec.blend
    assert list(blend.shares) == ["trees", "boosted"]
    assert blend.shares["boosted"][1] > 0  # of `liked`
    report = found.report(settings, "v", WINDOWS, (), {})
    quality = {one.model: one.ndcg["liked"] for one in report.quality}
    assert quality["blend"] >= quality["boosted"] > quality["trees"]
    assert quality.keys() == {"trees", "boosted", "blend"}


def test_it_is_loaded_from_a_bundle_as_it_was_trained(trained: tuple[Settings, FittedRanker], tmp_path: Path) -> None:
    settings, found = trained
    found.ranker.save(tmp_path)
    files = {path.relative_to(tmp_path).as_posix(): path for path in tmp_path.rglob("*") if path.is_file()}
    assert "ranking/boosted/liked.txt" in files
    content = BundleSettings.of(settings).model_dump_json().encode()
    bundle = Bundles(settings).build(
        {**files, FILE: content}, lineage=LINEAGE, metrics=METRICS, surfaces=("home_feed",)
    )
    built = BundleSettings.parse(bundle.read_bytes(FILE), FILE).over(settings)
    loaded = Ranker.load(Path(bundle.local()), built.ranking.learned, vectors())
    batch = slates(5, seed=3).batch
    for name, column in loaded.score(batch).items():
        np.testing.assert_array_equal(column, found.ranker.score(batch)[name])
        np.testing.assert_array_equal(loaded.select({name}).score(batch)[name], column)


def test_a_bundle_may_not_bring_it_where_the_settings_do_not_name_it(trained: tuple[Settings, FittedRanker]) -> None:
    content = BundleSettings.of(trained[0]).model_dump_json().encode()
    with pytest.raises(Refused, match=f"ranking model '{BY_MODULE}'"):
        BundleSettings.parse(content, FILE).over(settings_for(Path("/nowhere"), ranking={"objectives": OBJECTIVES}))


def test_the_model_with_the_largest_share_explains_the_order(trained: tuple[Settings, FittedRanker]) -> None:
    ranker, batch = trained[1].ranker, slates(5, seed=3).batch
    shares = ranker.spec.blend.shares
    for index, objective in enumerate(OBJECTIVES):
        model = ranker.models[max(shares, key=lambda name: shares[name][index])]
        parts = ranker.contributions(batch, objective)
        assert parts is not None
        assert parts.shape == (len(batch), len(COLUMNS.columns) + 1)
        np.testing.assert_allclose(parts.sum(axis=1), model.margins(batch)[:, index], atol=1e-4)


def test_a_search_tries_what_it_proposes(trained: tuple[Settings, FittedRanker]) -> None:
    from remora.ranking.learning import RankingData

    chosen = trained[0].ranking.learned["boosted"]
    cls, objectives = chosen.component.cls, trained[0].objectives
    assert search_space(cls).keys() == {"num_leaves", "learning_rate"}
    assert search_space(cls).keys() <= type(chosen.config).model_fields.keys()
    data = RankingData(windows=WINDOWS, objectives=objectives, item_vectors=vectors(), refit=False)
    assert len(list(stages(cls, chosen.config, data))) == stage_count(cls, chosen.config) == 1


def test_a_ranker_says_which_model_the_settings_lack(trained: tuple[Settings, FittedRanker], tmp_path: Path) -> None:
    trained[1].ranker.save(tmp_path)
    models = trained[0].ranking.learned
    with pytest.raises(DataError, match=r"model 'boosted' of type .* and the settings have none of that name"):
        Ranker.load(tmp_path, {"trees": models["trees"]}, vectors())
    with pytest.raises(DataError, match=r"the settings have the type 'trees'"):
        Ranker.load(tmp_path, {"boosted": models["trees"], "trees": models["trees"]}, vectors())


def test_margins_that_are_none_are_refused_with_the_models_name(
    plugin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_with(str(tmp_path), BY_MODULE, trees=False)
    cls = settings.ranking.learned["boosted"].component.cls
    monkeypatch.setattr(cls, "margins", lambda self, batch: np.zeros((len(batch), 1), np.float32))
    with pytest.raises(DataError, match=r"ranking model 'boosted' gives margins of shape \(720, 1\)"):
        fitted(settings)


def test_it_is_chosen_by_the_name_that_its_package_registers(plugin: Path) -> None:
    component = settings_with("/nowhere", "lightgbm").ranking.learned["boosted"].component
    assert (component.distribution, component.cls.__name__) == (PLUGIN_NAME, "LightGBMRanker")
