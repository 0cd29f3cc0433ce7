"""A model's training is a run for each part of it, and what a run needs to continue is removed with its version."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from remora.core.home import Home
from remora.fitting.runs import FOLDER, forget_parts
from remora.fitting.training_run import TrainingRun


def test_a_part_reports_under_its_name_and_keeps_what_the_model_may_use(home_folder: Path) -> None:
    said: list[tuple[str, dict[str, Any]]] = []
    run = TrainingRun(
        home=Home(str(home_folder)),
        version="v1-trees",
        workers=3,
        max_failures=2,
        on_report=lambda part, values: said.append((part, values)),
    )
    part = run.part("liked")
    part.report({"round": 1})
    run.report({"epoch": 2})
    assert said == [("liked", {"round": 1}), ("", {"epoch": 2})]
    assert (part.version, part.workers, part.max_failures) == ("v1-trees-liked", 3, 2)


def test_runs_of_a_version_are_forgotten_and_no_others(home_folder: Path) -> None:
    home = Home(str(home_folder))
    for name in ("ranking-v1-trees-liked", "ranking-v1-network", "ranking-v10-trees", "towers-v1-x"):
        home.write_bytes(f"{FOLDER}/{name}/state.json", b"{}")
    forget_parts(home, "ranking", "v1")
    assert sorted(home.folders(FOLDER)) == ["ranking-v10-trees", "towers-v1-x"]


def test_without_runs_nothing_is_forgotten(home_folder: Path) -> None:
    forget_parts(Home(str(home_folder)), "ranking", "v1")
