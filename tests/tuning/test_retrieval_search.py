"""A search on a real cluster: trials are ranked, the settings as they were are among them, the best can be used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.training.test_retrieval import small

from remora.core.artifacts import Artifact
from remora.core.errors import DataError, NotFound, SettingsError
from remora.settings import Settings
from remora.training.two_tower import RECALL
from remora.tuning.outcome import read_search
from remora.tuning.report import gained, markdown, rows
from remora.tuning.retrieval import changed, search, tuned

SPACE = {
    "learning_rate": {"low": 1e-5, "high": 2e-2, "log": True},
    "history_encoder": {"choices": [{"type": "mean", "dropout": 0.3}, "attention"]},
}


def searched(folder: Path, **tuning: Any) -> Settings:
    settings = small(folder)
    chosen = {
        "retrieval": SPACE,
        "max_trials": 4,
        "time_budget_minutes": 5,
        "grace_period_epochs": 1,
        "reduction_factor": 2,
    } | tuning
    return Settings.model_validate(settings.model_dump() | {"tuning": chosen})


@pytest.fixture(scope="module")
def found(ray_cluster: None, tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, Artifact, list[dict]]:
    settings, reports = searched(tmp_path_factory.mktemp("search") / "home"), []
    return settings, search(settings, "first", reports.append), reports


def test_trials_are_ranked_and_the_settings_as_they_were_are_one_of_them(found: tuple) -> None:
    settings, artifact, reports = found
    report = read_search(artifact)
    assert len(report.trials) == 4
    assert [t.best for t in report.trials] == sorted((t.best for t in report.trials), reverse=True)
    assert report.before is not None
    assert report.before.changes == {"learning_rate": 0.01, "history_encoder": "attention"}
    assert {r["trial"] for r in reports} == {1, 2, 3, 4}
    assert max(r[RECALL] for r in reports) == pytest.approx(report.trials[0].best)
    for trial in report.trials:
        assert 1 <= trial.epochs <= settings.retrieval.epochs
        assert trial.best == max(quality for _, quality in trial.history)
        assert 1e-5 <= trial.changes["learning_rate"] <= 2e-2


def test_the_report_is_a_table_a_plot_and_settings_to_copy(found: tuple) -> None:
    _, artifact, _ = found
    report = read_search(artifact)
    page = artifact.read_bytes("report.md").decode()
    assert page == markdown(report)
    assert gained(report) in page
    assert len(rows(report)) == 4
    assert sum("as before" in row[-1] for row in rows(report)) == 1
    assert artifact.read_bytes("search.svg").startswith(b"<?xml")
    assert yaml.safe_load(artifact.read_bytes("best.yaml")) == {"retrieval": report.trials[0].changes}


def test_unchanged_reuses_the_result_and_nothing_is_left_of_the_run(found: tuple) -> None:
    settings, artifact, _ = found
    again: list[dict] = []
    assert search(settings, "first", again.append).metadata == artifact.metadata
    assert again == []
    assert not any((Path(settings.home) / "tuning" / "runs").iterdir())


def test_the_best_is_used_by_its_name(found: tuple) -> None:
    settings, artifact, _ = found
    best = read_search(artifact).trials[0].changes
    chosen = tuned(settings, "first").retrieval
    assert chosen.learning_rate == best["learning_rate"]
    assert chosen.history_encoder.brief == best["history_encoder"]
    assert chosen.epochs == settings.retrieval.epochs
    with pytest.raises(NotFound, match="There are: first"):
        tuned(settings, "second")


@pytest.mark.parametrize(
    ("name", "space", "said"),
    [
        ("../up", SPACE, "cannot be called"),
        ("x", {"max_failures": {"choices": [5]}}, "max_failures, which the training of a trial does not depend on"),
        ("x", {"text_hash_buckets": {"choices": [5]}, "seed": {"choices": [5]}}, "Leave them out"),
    ],
)
def test_a_search_that_could_find_nothing_says_so_before_it_starts(
    tmp_path: Path, name: str, space: dict[str, Any], said: str
) -> None:
    with pytest.raises(SettingsError, match=said):
        search(searched(tmp_path / "home", retrieval=space), name)


def test_a_time_that_is_spent_before_the_first_epoch_says_so(ray_cluster: None, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"No trial of .* came to the end of an epoch"):
        search(searched(tmp_path / "home", time_budget_minutes=1e-6, max_trials=1))


def test_changes_are_checked_like_a_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="dimension 33 is no multiple of the history encoder's heads"):
        changed(small(tmp_path / "home"), {"dimension": 33, "history_encoder": "ligr"})
