"""`remora simulate`: what it writes and draws, and what it says when it cannot."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from remora.cli.main import app
from remora.cli.simulate import _follow, render
from remora.simulation.endpoint_driver import DriveSummary

SMALL = ["--users", "30", "--items", "40", "--days", "8"]


def tables(folder: Path, *more: str) -> str:
    done = CliRunner().invoke(app, ["simulate", "tables", "--out", str(folder), *SMALL, *more])
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.mark.parametrize("preset", ["movielens", "shop"])
def test_tables_are_written_and_the_next_command_is_named(tmp_path: Path, preset: str) -> None:
    said = tables(tmp_path / "w", "--preset", preset)
    assert f"remora run --config {tmp_path / 'w' / 'settings.yaml'}" in said
    assert {file.name for file in (tmp_path / "w").iterdir()} == {
        *("events.parquet", "users.parquet", "items.parquet", "settings.yaml", "world.json")
    }


def test_equal_seeds_write_equal_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        tables(tmp_path / name, "--seed", "7")
    one, two = ((tmp_path / name / "events.parquet").read_bytes() for name in ("one", "two"))
    assert one == two


def test_machines_get_the_counts(tmp_path: Path) -> None:
    found = json.loads(tables(tmp_path / "w", "--impressions", "--json"))
    assert found["rows"]["users"] == 30
    assert found["rows"]["events"] > found["requests"] > 0


def test_a_world_that_is_too_large_is_refused_in_words(tmp_path: Path) -> None:
    large = ["--users", "1000000", "--items", "1000000"]
    done = CliRunner().invoke(app, ["simulate", "tables", "--out", str(tmp_path / "w"), *large])
    assert done.exit_code == 2
    assert "take fewer" in done.output


def test_an_interrupted_run_keeps_what_was_counted() -> None:
    class Interrupted:
        summary = DriveSummary(requests=3)

        def drive(self, seconds: float, rate: float):
            yield 3
            raise KeyboardInterrupt

    driver = Interrupted()
    _follow(driver, 10.0, 1.0)  # type: ignore[arg-type]
    assert driver.summary.as_json()["requests"] == 3


def test_a_summary_is_drawn() -> None:
    summary = DriveSummary(requests=1_200, latencies=[0.01] * 99 + [0.2], unsent=4)
    summary.verdicts.update({"accepted": 310, "duplicate": 3})
    summary.failures.update({"status 503": 2})
    summary.shown.update({1: 1_200, 2: 1_200})
    summary.clicked.update({1: 300, 2: 60})
    drawn = io.StringIO()
    render(Console(file=drawn, width=110), summary.as_json())
    for words in (
        "1,200 requests",
        "p50 10.0 ms",
        "310 accepted, 3 duplicate; 4 not due",
        "2: status 503",
        "25.0%",
        "5.0%",
    ):
        assert words in drawn.getvalue()


def test_a_run_without_an_answer_is_drawn_too() -> None:
    drawn = io.StringIO()
    render(Console(file=drawn, width=110), DriveSummary().as_json())
    assert "0 requests, no answer" in drawn.getvalue()
    assert "none sent" in drawn.getvalue()
