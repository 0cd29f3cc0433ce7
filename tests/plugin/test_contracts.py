"""The components of the installed package keep the promises of their kinds, and do what they say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from tests.extensions.packages import PLUGIN, PLUGIN_NAME, PLUGIN_VERSION

from remora.core.vocabulary import Vocabulary
from remora.extensions import find, names
from remora.extensions.kinds import (
    FILTER,
    HISTORY_ENCODER,
    HYDRATOR,
    KINDS,
    LOSS,
    METRIC,
    RANKING_MODEL,
    RETRIEVAL_MODEL,
    SOURCE,
    TRANSFORM,
)
from remora.features.transforms import Transform
from remora.retrieval.losses.candidates import Logits
from remora.retrieval.sources.static_ranking import StaticRanking
from remora.testing.history_encoders import HistoryEncoderContract
from remora.testing.losses import LossContract, some_logits
from remora.testing.metrics import MetricContract
from remora.testing.ranking_models import RankingModelContract
from remora.testing.retrieval_models import RetrievalModelContract
from remora.testing.stages import (
    N_ITEMS,
    FilterContract,
    HydratorContract,
    SourceContract,
    some_candidates,
    some_query,
)
from remora.testing.transforms import TransformContract, some_context

pytestmark = pytest.mark.usefixtures("plugin")
MONDAY = datetime(2026, 1, 5, tzinfo=UTC)


def ranking_of(day: int) -> StaticRanking:
    return StaticRanking(scores=np.random.default_rng(day).random(N_ITEMS).astype(np.float32), limit=10)


class TestPopularOnWeekday(SourceContract):
    @pytest.fixture
    def stage(self) -> Any:
        return find(SOURCE, "popular_on_weekday").cls(tuple(ranking_of(day) for day in range(7)))

    def test_each_day_of_the_week_has_its_own_ranking(self, stage: Any) -> None:
        for day in range(14):
            found = stage.find(some_query(instant=MONDAY + timedelta(days=day, hours=23)))
            np.testing.assert_array_equal(found.rows, ranking_of(day % 7).order[:10])


class TestPriceLimit(FilterContract):
    @pytest.fixture
    def stage(self) -> Any:
        prices = np.where(np.arange(N_ITEMS) == 0, np.nan, np.arange(N_ITEMS))
        return find(FILTER, "price_limit").cls(~(prices > 20))

    def test_what_has_no_price_is_shown(self, stage: Any) -> None:
        candidates = some_candidates(N_ITEMS)
        np.testing.assert_array_equal(stage.allowed(some_query(), candidates), candidates.rows <= 20)


class TestCartItems(HydratorContract):
    @pytest.fixture
    def stage(self) -> Any:
        return find(HYDRATOR, "cart_items").cls(Vocabulary([f"i{row:02}" for row in range(N_ITEMS)]), "cart")

    @pytest.fixture
    def query(self) -> Any:
        return some_query(history=np.array([3], np.int32), seen=np.array([3, 9], np.int32), context={"cart": "i07,x"})

    def test_the_cart_is_the_end_of_the_history_and_is_seen(self, stage: Any, query: Any) -> None:
        found = stage.hydrate(query)
        assert (found.history.tolist(), found.seen.tolist()) == ([3, 7], [3, 7, 9])

    def test_a_request_without_a_cart_stays_as_it_is(self, stage: Any) -> None:
        query = some_query()
        assert stage.hydrate(query) is query


class TestUserWeekend(TransformContract):
    @property
    def component(self) -> type[Transform]:  # type: ignore[override]
        found: type[Transform] = find(TRANSFORM, "user_weekend").cls
        return found

    def test_it_counts_the_days_of_the_weekend(self) -> None:
        days = [MONDAY + timedelta(days=day, hours=5) for day in (0, 5, 6, 7)]
        events = pl.DataFrame({"user_id": ["u"] * 4, "event_timestamp": days})
        made = self.component.transform(self.component.Config(), events, some_context())  # type: ignore[attr-defined]
        assert made["events"].to_list() == [0, 1, 2, 2]
        assert made["share"].to_list() == [0, 1 / 2, 2 / 3, 2 / 4]
        assert made["event_timestamp"].to_list() == [day + timedelta(hours=19) for day in days]


class TestWeekdayPopularity(RetrievalModelContract):
    @property
    def component(self) -> Any:  # type: ignore[override]
        return find(RETRIEVAL_MODEL, "weekday_popularity").cls

    @pytest.fixture
    def model(self) -> Any:
        return self.component(np.random.default_rng(4).random((7, N_ITEMS)).astype(np.float32))

    def answers(self, model: Any) -> list[Any]:
        return [model.shares]


class TestLightGBMRanker(RankingModelContract):
    @property
    def component(self) -> Any:  # type: ignore[override]
        return find(RANKING_MODEL, "lightgbm").cls

    def config(self) -> Any:
        return self.component.Config(rounds=20)


class TestPrecision(MetricContract):
    @property
    def component(self) -> Any:  # type: ignore[override]
        return find(METRIC, "precision").cls


class TestGru(HistoryEncoderContract):
    @property
    def component(self) -> Any:  # type: ignore[override]
        return find(HISTORY_ENCODER, "gru").cls

    def config(self) -> Any:
        return self.component.Config(units=5)


class TestBprMax(LossContract):
    @property
    def component(self) -> Any:  # type: ignore[override]
        return find(LOSS, "bpr_max").cls

    def test_it_is_what_the_paper_writes(self) -> None:
        logits = some_logits()
        found = self.component.from_config(self.component.Config(regularization=0.3)).of(logits)
        assert float(found) == pytest.approx(np.mean([_bpr_max(logits, n) for n in range(7)]), rel=1e-5)


def _bpr_max(logits: Logits, state: int) -> float:
    others = logits.negatives[state].double().numpy()
    others = others[others > -1e6]
    weights = np.exp(others) / np.exp(others).sum()
    better = 1 / (1 + np.exp(others - float(logits.positive[state])))
    return float(-np.log((weights * better).sum()) + 0.3 * (weights * others**2).sum())


def test_the_model_s_shares_are_smoothed_by_all_days_and_kept_in_a_file(tmp_path: Path) -> None:
    cls = find(RETRIEVAL_MODEL, "weekday_popularity").cls
    from example_plugin.weekday_popularity import shares_of

    counts = np.zeros((7, 3))
    counts[0], counts[5] = (3, 1, 0), (0, 4, 0)
    np.testing.assert_allclose(shares_of(counts, 0)[[0, 1, 5]], [[3 / 4, 1 / 4, 0], [0, 0, 0], [0, 1, 0]])
    smoothed = shares_of(counts, 8)
    np.testing.assert_allclose(smoothed[0], [(3 + 3) / 12, (1 + 5) / 12, 0])
    np.testing.assert_allclose(smoothed.sum(axis=1), 1, rtol=1e-6)
    cls(smoothed).save(tmp_path)
    np.testing.assert_array_equal(cls.load(cls.Config(), tmp_path).shares, smoothed)


def test_precision_divides_by_the_places_of_the_slate() -> None:
    precision = find(METRIC, "precision").cls
    assert precision(k=4).measure(shown=[7, 3, 9], relevant={3, 9, 5}).value == 2 / 4
    assert precision(k=1).measure(shown=[7, 3], relevant={3}, scores=[0.5, 0.5]).value == 1 / 2
    assert precision(k=4).measure(shown=[7]).count == 0


def test_pip_registers_every_component_under_the_package_s_name_and_version() -> None:
    registered = {kind.name: [find(kind, name) for name in names(kind)] for kind in KINDS}
    own = {kind: [c.name for c in found if c.distribution == PLUGIN_NAME] for kind, found in registered.items()}
    assert {kind: found for kind, found in own.items() if found} == {
        "metric": ["precision"],
        "retrieval model": ["weekday_popularity"],
        "history encoder": ["gru"],
        "loss": ["bpr_max"],
        "ranking model": ["lightgbm"],
        "hydrator": ["cart_items"],
        "source": ["popular_on_weekday"],
        "filter": ["price_limit"],
        "surface": ["today"],
        "transform": ["user_weekend"],
    }
    assert find(SOURCE, "popular_on_weekday").version == PLUGIN_VERSION


def test_it_is_installed_and_not_read_from_the_checkout() -> None:
    import example_plugin

    assert not Path(str(example_plugin.__file__)).is_relative_to(PLUGIN)
