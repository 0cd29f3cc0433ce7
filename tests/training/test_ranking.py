"""The ranking step on a small world: models, report, look-ups, a search, ablations, and leaks that are named."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml
from tests.datasets.worlds import clustered_events, clustered_items, make_lake, settings_for, some_users

from remora.core.artifacts import Artifact
from remora.core.errors import DataError, SettingsError
from remora.core.home import Home
from remora.datasets.labelled_slates import slates_of
from remora.datasets.splits import time_split
from remora.evaluation.systems import RETRIEVAL, SURFACE
from remora.features.build import build
from remora.features.store import apply
from remora.ingest.lake import Lake
from remora.ranking.ranker import Ranker
from remora.retrieval.two_tower import Towers
from remora.settings import RankingSettings, Settings
from remora.steps import path
from remora.training import ranking, ranking_examples, retrieval
from remora.training.leakage import leaks
from remora.training.ranking_data import read_windows
from remora.training.ranking_report import RankingReport
from remora.training.retrieval import retrieval_artifacts
from remora.tuning.outcome import read_search
from remora.tuning.ranking import search, tuned
from remora.tuning.search import front
from remora.wiring.ablations import LESS
from remora.workflow.ablations import ablate
from remora.workflow.evaluation import PLOT, evaluate, read_evaluation

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("ray_cluster")]

USERS, ITEMS = 60, 48
OBJECTIVES = {
    "engaged": {"events": ["like", "view"], "weight": 0.5},
    "liked": {"events": ["like"], "weight": 0.5, "calibration": "isotonic", "loss": "pointwise"},
}
RANKING = {
    "models": {
        "trees": {"num_boost_round": 20},
        "network": {"epochs": 2, "hidden_dim": 8, "attention_dim": 4, "experts": 2, "expert_width": 8},
    },
    "objectives": OBJECTIVES,
    "workers": 1,
    "refit": False,
}


def world(folder: Path, users: int = USERS, per_user: int = 20, **leak: Any) -> Settings:
    """Features built and towers trained; ``leak`` adds a column to the items."""
    data = settings_for(folder).data.model_dump() | {"item_columns": ["year", "genres", *leak]}
    settings = settings_for(
        folder,
        data=data,
        features={"partitions": 2},
        retrieval={"epochs": 1, "dimension": 8, "workers": 1, "validation_user_fraction": 0.1},
        evaluation={"events_between_queries": 2, "queries_per_user": 3, "max_snapshots": 4, "bootstrap_samples": 50},
        ranking=RANKING,
    )
    events = clustered_events(users=users, items=ITEMS, clusters=2, days=80, per_user=per_user)
    items = clustered_items(ITEMS, 2)
    for name, of in leak.items():
        items = items.append_column(name, pa.array(of(settings, events, items["item_id"].to_pylist()), pa.float64()))
    make_lake(folder, events, items=items, users=some_users(users))
    build(settings)
    apply(settings)
    retrieval.train(settings)
    return settings


@pytest.fixture(scope="module")
def trained(ray_cluster: None, tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, Artifact]:
    settings = world(tmp_path_factory.mktemp("ranking") / "home")
    return settings, ranking.train(settings)


def with_trees(settings: Settings, **changes: Any) -> Settings:
    ranking = settings.ranking.model_dump()
    ranking["models"]["trees"] |= changes
    return settings.model_copy(update={"ranking": RankingSettings.model_validate(ranking)})


def report_of(artifact: Artifact) -> RankingReport:
    return RankingReport.model_validate(artifact.read_json("report.json"))


def test_it_is_served_by_the_files_that_it_names(trained: tuple[Settings, Artifact]) -> None:
    settings, artifact = trained
    assert "ranker.json" in artifact.metadata["served"]
    vectors = retrieval_vectors(settings)
    ranker = Ranker.load(artifact.home.local_copy(artifact.folder), settings.ranking.learned, vectors)
    assert ranker.objectives == ("engaged", "liked")
    window = ranking_examples.read(ranking_examples.make(settings), ranking_examples.VALIDATION)
    found = slates_of(*window, ranker.columns, Lake.open(Home(settings.home)).vocabulary())
    for column in ranker.score(found.batch).values():
        assert ((column >= 0) & (column <= 1)).all()
    assert (found.sampled[found.labels["engaged"] > 0] == 1).all()


def retrieval_vectors(settings: Settings) -> Any:
    home = Home(settings.home)
    folder = home.local_copy(retrieval_artifacts(home).current().folder)
    return Towers.load(folder, settings.retrieval.history_encoder).encoder.item_vectors


def test_a_weight_is_changed_without_training_and_a_model_without_making_rows(
    trained: tuple[Settings, Artifact],
) -> None:
    settings, artifact = trained
    heavier = settings.ranking.objectives["liked"].model_copy(update={"weight": 9.0})
    objectives = settings.ranking.objectives | {"liked": heavier}
    other = settings.model_copy(update={"ranking": settings.ranking.model_copy(update={"objectives": objectives})})
    assert ranking.train(other).metadata == artifact.metadata
    another = with_trees(settings, max_depth=2)
    rows = ranking_examples.make(settings)
    assert ranking_examples.make(another).metadata == rows.metadata
    assert path.RANKING.current(another).version != artifact.version


def test_the_report_says_what_a_person_wants_to_know(trained: tuple[Settings, Artifact]) -> None:
    _, artifact = trained
    report = report_of(artifact)
    page = artifact.read_bytes("report.html").decode()
    assert {one.model for one in report.quality} == {"trees", "network", "blend"}
    for one in report.quality:
        assert all(0 < value <= 1 for value in one.ndcg.values())
        assert 0 < one.timing.p50_ms <= one.timing.p99_ms
        assert f"{one.ndcg['liked']:.4f}" in page
    blend = next(one for one in report.quality if one.model == "blend")
    for name in report.objectives:
        assert blend.ndcg[name] >= max(one.ndcg[name] for one in report.quality) - 1e-6
    assert set(report.curves) == {"trees engaged", "trees liked", "network"}
    assert [one.window for one in report.data] == ["ranking", "validation"]
    assert report.data[1].positives["engaged"] >= report.data[1].positives["liked"] > 0
    assert {(one.objective, one.segment) for one in report.reliability} >= {("engaged", "all"), ("liked", "all")}
    assert report.dependence
    assert len(re.findall(r"data:image/svg\+xml;base64,", page)) == 3


def test_the_evaluation_compares_what_was_predicted_with_what_was_observed(trained: tuple[Settings, Artifact]) -> None:
    settings, _ = trained
    made = evaluate(settings)
    found = read_evaluation(made).ranked
    overall = {one.objective: one for one in found.reliability if one.segment == "all"}
    assert set(overall) == {"engaged", "liked"}
    assert overall["engaged"].predicted > overall["liked"].predicted > 0
    assert made.read_bytes(PLOT).startswith(b"<?xml")


def test_ablations_take_every_part_away_once(trained: tuple[Settings, Artifact]) -> None:
    settings, _ = trained
    made = ablate(settings)
    found = read_evaluation(made).ranked
    without = {system.removeprefix(LESS) for system in found.systems if system.startswith(LESS)}
    assert {"history", "rerankers", "model trees", "model network", "source nearest_items"} <= without
    assert {"features candidate", "features item_activity", "features user_item"} <= without
    assert {SURFACE, RETRIEVAL} <= set(found.systems)
    for system in found.systems:
        if system != SURFACE:
            difference = found.difference(system, "ndcg", 10)
            means = [found.estimate(s, "ndcg", 10).mean for s in (SURFACE, system)]
            assert difference.mean == pytest.approx(means[0] - means[1])  # type: ignore[operator]
    assert found.estimate(SURFACE, "ndcg", 10) == read_evaluation(evaluate(settings)).ranked.estimate(
        SURFACE, "ndcg", 10
    )
    assert ablate(settings).metadata == made.metadata


@pytest.mark.parametrize("model", ["trees", "network"])
def test_a_search_knows_quality_and_cost_and_its_best_is_used_by_name(
    trained: tuple[Settings, Artifact], model: Any
) -> None:
    settings, _ = trained
    tuning = settings.tuning.model_copy(update={"max_trials": 3, "time_budget_minutes": 3.0, "grace_period_epochs": 1})
    settings = settings.model_copy(update={"tuning": tuning})
    reports: list[dict[str, Any]] = []
    artifact = search(settings, model, f"of-{model}", reports.append)
    found = read_search(artifact)
    assert len(found.trials) == 3
    assert found.before is not None
    assert all(trial.cost is not None and trial.cost > 0 for trial in found.trials if trial.history)
    best = front(found.trials)
    assert best[0].best == found.trials[0].best
    assert [t.cost for t in best] == sorted((t.cost for t in best), reverse=True)  # type: ignore[type-var]
    assert "in the front" in artifact.read_bytes("report.md").decode()
    assert yaml.safe_load(artifact.read_bytes("best.yaml")) == {"ranking": {"models": {model: found.trials[0].changes}}}
    chosen = tuned(settings, f"of-{model}").ranking.learned[model].config
    assert {name: getattr(chosen, name) for name in found.trials[0].changes} == found.trials[0].changes
    assert search(settings, model, f"of-{model}", reports.append).metadata == artifact.metadata


def test_a_monotone_feature_that_is_none_is_refused(trained: tuple[Settings, Artifact]) -> None:
    settings, _ = trained
    with pytest.raises(SettingsError, match="item_profile__colour, which is no numeric feature"):
        ranking.train(with_trees(settings, monotone_constraints={"item_profile__colour": 1}))


def test_a_planted_leak_is_named_and_may_be_trusted(home_folder: Path) -> None:
    def positive_in_the_end(settings: Settings, events: list[Any], ids: list[str]) -> list[float]:
        """Events of the time that the ranker learns from: nobody could know them before."""
        begin, end = (events[int(share * len(events))][3] for share in (0.65, 0.8))
        return [float(sum(i == item and begin <= t < end for _, i, _, t in events)) for item in ids]

    settings = world(home_folder, users=150, per_user=8, sold_later=positive_in_the_end)
    with pytest.raises(DataError, match="item_profile__sold_later") as raised:
        ranking.train(settings)
    assert "ranking.leakage_allowlist" in str(raised.value)
    trusted = settings.ranking.model_copy(update={"leakage_allowlist": ("item_profile__sold_later",)})
    settings = settings.model_copy(update={"ranking": trusted})
    lake = Lake.open(Home(settings.home))
    data = read_windows(ranking_examples.make(settings), lake)
    window = time_split(settings, lake).ranking
    assert [leak.feature for leak in leaks(settings, lake, window, data.train, data.columns)] == [
        "item_profile__sold_later"
    ]
