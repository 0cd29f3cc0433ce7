"""The cold-start figures against draws and counts."""

from __future__ import annotations

import numpy as np
import pytest

from remora.evaluation.cold_start import CUTOFF, ColdStart, HoldoutRanks, cold_start

ITEMS = 300


def found(
    ranks: list[int], *, had: int = 10, touched: int = 280, users: list[str] | None = None, quota: int = 0
) -> ColdStart:
    """`ranks` are those among all; among the untouched ones everybody's target is the fifth."""
    counts = np.where(np.arange(ITEMS) < touched, 5, 0)
    asked = HoldoutRanks(
        among_all=np.array(ranks),
        among_new=np.full(len(ranks), 4),
        had=np.full(len(ranks), had),
        users=np.array(users or [f"u{n}" for n in range(len(ranks))]),
    )
    return cold_start(asked, counts, quota=quota, hidden=ITEMS - touched, samples=200, seed=1)


def test_recall_is_the_share_of_targets_among_the_first_hundred() -> None:
    measured = found([0, 99, 100, 250])
    assert measured.recall == 0.5
    assert measured.low <= 0.5 <= measured.high
    assert (measured.examples, measured.users, measured.hidden, measured.items) == (4, 4, 20, ITEMS)


@pytest.mark.parametrize(("quota", "expected"), [(0, 0.75), (4, 0.25), (5, 1.0)])
def test_a_quota_takes_places_of_the_others_and_finds_what_is_first_among_the_new(quota: int, expected: float) -> None:
    measured = found([0, 97, 98, 250], quota=quota)
    assert (measured.recall, measured.without_quota) == (expected, 0.75)


def test_chance_is_that_of_an_even_draw() -> None:
    draw = np.random.default_rng(3)
    hits = [0 in draw.choice(ITEMS - 10, CUTOFF, replace=False) for _ in range(4_000)]
    assert found([0]).random == pytest.approx(np.mean(hits), abs=0.03)


@pytest.mark.parametrize(("touched", "had", "expected"), [(280, 10, 0.0), (90, 10, 20 / 210), (0, 0, 100 / 300)])
def test_popularity_finds_an_untouched_item_only_when_the_touched_ones_leave_room(
    touched: int, had: int, expected: float
) -> None:
    assert found([0], had=had, touched=touched).popularity == pytest.approx(expected)


def test_all_answers_of_one_user_are_drawn_together() -> None:
    alike = found([0, 0, 200, 200], users=["a", "a", "b", "b"])
    assert (alike.users, alike.recall) == (2, 0.5)
    assert (alike.low, alike.high) == (0.0, 1.0)
