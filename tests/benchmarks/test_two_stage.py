"""The two-stage benchmark: peers see no test event before they are chosen, and are judged as any system is."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from benchmarks.two_stage.export import exported, wanted_events
from benchmarks.two_stage.lists import Listed
from benchmarks.two_stage.table import summarised, verdict
from benchmarks.two_stage.where import settings_of
from tests.datasets.worlds import START, clustered_events, make_lake, settings_for
from tests.evaluation import toys

from remora.core.errors import SettingsError
from remora.datasets.queries import queries
from remora.datasets.splits import Window
from remora.evaluation.metrics import metrics_at
from remora.evaluation.replay import ReplayState
from remora.evaluation.report import report
from remora.pipeline import Pipeline, Query
from remora.pipeline.runner import named


@pytest.fixture(scope="module")
def drive() -> ModuleType:
    """The driver, which is a script of another virtual environment."""
    spec = importlib.util.spec_from_file_location("drive", Path("benchmarks/two_stage/drive.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_list_is_looked_up_by_its_query() -> None:
    source = Listed({"q1": np.array([3, 1, 2], np.int32)})
    asked = [Query(request_id=name, surface="home_feed", n=2, instant=START) for name in ("q1", "q2")]
    found = [source.find(query) for query in asked]
    assert found[0].rows.tolist() == [3, 1, 2]
    assert (np.diff(found[0].scores) < 0).all()
    assert not len(found[1].rows)


def test_peers_are_given_the_past_of_each_query_and_nothing_else(ray_cluster: None, home_folder: Path) -> None:
    events = clustered_events(users=20, items=40, clusters=2, days=60, per_user=15, seed=3)
    settings, lake = settings_for(home_folder), make_lake(home_folder, events)
    window = Window(START + timedelta(days=30), START + timedelta(days=60))
    asked = queries(settings, lake, window)
    exported(lake, settings, asked, window.start, home_folder, "test")
    fitted = pd.read_parquet(home_folder / "test_events.parquet")
    assert fitted["event_timestamp"].max() < pd.Timestamp(window.start)
    assert len(fitted) == sum(kind != "dislike" and t < window.start for _, _, kind, t in events)
    given = pd.read_parquet(home_folder / "test_queries.parquet")
    assert given["query_id"].tolist() == asked["query_id"].to_pylist()
    for one in given.itertuples():
        own = [(t, item) for user, item, kind, t in events if user == one.user_id and kind != "dislike"]
        assert list(one.history) == [item for t, item in sorted(own) if t < one.instant]
    assert len(wanted_events(lake, settings, lake.end)) == sum(kind != "dislike" for _, _, kind, _ in events)


def test_the_choice_does_not_depend_on_the_test(drive: ModuleType, tmp_path: Path, capsys: Any) -> None:
    said = []
    for shift in (0, 1):
        folder = tmp_path / str(shift)
        folder.mkdir()
        draw = np.random.default_rng(1)
        for name, seed in (("validation", 2), ("test", 3 + shift)):
            own = np.random.default_rng(seed)
            items = [f"i{n}" for n in own.zipf(1.5, 400) % 30]
            days = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.sort(own.integers(0, 90, 400)), unit="D")
            users = [f"u{n % 40}" for n in range(400)]
            table = {"user_id": users, "item_id": items, "event_timestamp": days, "weight": 1.0}
            pd.DataFrame(table).to_parquet(folder / f"{name}_events.parquet")
            targets = [[f"i{n}"] for n in own.integers(0, 30, 25)]
            histories = [[f"i{n}" for n in draw.integers(0, 30, 3)] for _ in range(25)]
            ids, weights = [f"q{n}" for n in range(25)], [[1.0]] * 25
            table = {"query_id": ids, "targets": targets, "weights": weights, "history": histories}
            pd.DataFrame(table).to_parquet(folder / f"{name}_queries.parquet")
        drive.main("popularity", folder, 1.0, 7, 1)
        said.append(json.loads(capsys.readouterr().out))
        lists = json.loads((folder / "popularity.json").read_text())
        asked = pd.read_parquet(folder / "test_queries.parquet")
        assert all(not set(lists[q]) & set(h) for q, h in zip(asked["query_id"], asked["history"], strict=True))
    assert said[0]["chosen"] == said[1]["chosen"]
    assert said[0]["validation_ndcg@10"] == said[1]["validation_ndcg@10"]
    assert said[0]["trials"] == 7


def test_draws_begin_in_the_middle_and_never_repeat(drive: ModuleType) -> None:
    space = {"a": [1, 2, 3], "b": [0.1, 0.2]}
    found = list(drive.draws(space, 7))
    assert found[0] == {"a": 2, "b": 0.2}
    assert len(found) == len({str(one) for one in found}) == 6


def test_ndcg_is_that_of_the_replay(drive: ModuleType) -> None:
    asked = pd.DataFrame({"targets": [["a", "b"], ["c"]], "weights": [[1.0, 0.5], [1.0]]})
    found = drive.ndcg([["x", "a", "b"], ["c"]], asked)
    first = (1 / np.log2(3) + 0.5 / 2) / (1 + 0.5 / np.log2(3))
    assert found == pytest.approx((first + 1) / 2)


def test_the_settings_of_a_folder_and_of_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REMORA_HOME", raising=False)
    assert settings_of("movielens-100k", None, tmp_path).name == "movielens-100k"
    assert settings_of("movielens-100k", None, tmp_path).home == str(tmp_path)
    shop = tmp_path / "online_retail"
    shop.mkdir()
    monkeypatch.setenv("REMORA_BENCH_DATA", "")
    assert settings_of(str(shop), None, tmp_path).data.events[0].path.startswith(str(tmp_path))
    with pytest.raises(SettingsError, match="There are no settings for nowhere"):
        settings_of("nowhere", None, tmp_path)


def test_the_verdict_says_who_wins() -> None:
    def moment(day: Any) -> ReplayState:
        good = Pipeline(hydrators=named(toys.Parities()), sources=named(toys.Everything()), scorer=toys.KnowsParity())
        poor = Pipeline(sources=named(toys.Everything()))
        pipelines = {"peer": poor, "other": poor, "retrieval": poor, "surface": good}
        return ReplayState(pipelines=pipelines, item_events=np.zeros(toys.ITEMS))

    made = replace(toys.replay(), moment_at=moment, metrics=metrics_at((10,), toys.CATALOGUE, toys.SETTINGS.metrics))
    found = report(made.run(toys.queries()), toys.SETTINGS)
    result = summarised(found, {"peer": {"trials": 1}, "gone": {"failed": "no wheel"}}, {"ingest": 1.0}, {})
    assert result["best_single"] == "peer"
    assert result["gain_over_retrieval"] > 0
    assert ("beats the best single model, peer" in verdict(result)) == result["beats_best_single"]
