"""Some simulated days of the whole loop: whatever its models are worth, nothing of what it promises is broken."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from benchmarks.weeks.plan import SMALL
from benchmarks.weeks.plot import drawn
from benchmarks.weeks.regret import by_day, compared
from benchmarks.weeks.simulate import FROZEN, FROZEN_LIVE, simulated


def requests(*rows: tuple[int, int, bool, float]) -> pl.DataFrame:
    """Of days, users, whether these are bots, and their slates' values, where the best is worth 1."""
    found = pl.DataFrame(rows, schema=["day", "user", "bot", "value"], orient="row")
    return found.with_columns(best=pl.lit(1.0))


def test_regret_is_of_people_and_of_requests() -> None:
    loop = requests((0, 1, False, 0.9), (0, 1, False, 0.7), (1, 2, False, 0.8), (1, 3, True, 0.0))
    frozen = requests((0, 1, False, 0.6), (1, 2, False, 0.6), (1, 3, True, 0.0))
    found = compared(loop, frozen)
    assert (found["loop"], found["other"], found["reduction"]) == pytest.approx((0.2, 0.4, 0.5))
    low, high = found["reduction_interval"]
    assert low <= 0.5 <= high
    assert compared(frozen, frozen)["reduction_interval"] == [0.0, 0.0]
    days = by_day({"loop": loop})["loop"]
    assert [(day["day"], day["requests"], day["regret"]) for day in days] == [(0, 2, 0.2), (1, 1, 0.2)]


@pytest.mark.slow
@pytest.mark.usefixtures("ray_cluster")
def test_a_loop_of_weeks_shows_nothing_seen_and_loses_or_leaks_nothing(tmp_path: Path) -> None:
    found = simulated(SMALL, tmp_path, lambda what: None)

    days = SMALL.weeks * SMALL.days_of_week
    assert {name: len(of) for name, of in found["by_day"].items()} == dict.fromkeys(["loop", FROZEN, FROZEN_LIVE], days)
    assert found["seen_items_shown"]["loop"] == found["seen_items_shown"][FROZEN_LIVE] == 0
    assert found["seen_items_shown"][FROZEN] > 0, "without a live state it does not know what was clicked"
    assert found["degraded"]["loop"].keys() <= {"user_unknown"}

    events = found["events"]
    assert (events["missing"], events["twice"], events["unknown"]) == (0, 0, 0)
    assert events["acknowledged"] > 100
    assert found["verdicts"]["loop"].keys() <= {"accepted", "duplicate"}
    assert (found["slates"]["missing"], found["slates"]["twice"]) == (0, 0)

    assert found["leaks"] == 0
    assert found["parity_requests"] > 50
    assert found["parity_differences"] == 0, found["bundles"]["weeks"]

    weeks = found["bundles"]["weeks"]
    # Some hundred requests on shared cores may show harm by chance, and a bundle of five trees may do some.
    statuses = [week["rollout"]["status"] for week in weeks]
    assert set(statuses) <= {"done", "rolled back"}, [week["rollout"] for week in weeks]
    assert len({found["bundles"]["first"], *(week["bundle"] for week in weeks)}) == SMALL.weeks + 1
    assert found["canary_requests"] > 0 or "done" not in statuses
    assert found["regret"][FROZEN]["other"] > 0

    drawn(found, tmp_path / "weeks.svg")
    assert (tmp_path / "weeks.svg").read_text().startswith("<?xml")
