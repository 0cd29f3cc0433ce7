"""The cold-start figures against draws and counts."""

from __future__ import annotations

import numpy as np
import pytest

from remora.evaluation.cold_start import CUTOFF, cold_start

ITEMS = 300


def found(places: list[int], had: int = 10, touched: int = 280, users: list[str] | None = None):  # type: ignore[no-untyped-def]
    counts = np.where(np.arange(ITEMS) < touched, 5, 0)
    names = np.array(users or [f"u{n}" for n in range(len(places))])
    return cold_start(
        np.array(places), np.full(len(places), had), names, counts, hidden=ITEMS - touched, samples=200, seed=1
    )


def test_recall_is_the_share_of_targets_among_the_first_hundred() -> None:
    measured = found([0, 99, 100, 250])
    assert measured.recall == 0.5
    assert measured.low <= 0.5 <= measured.high
    assert (measured.examples, measured.users, measured.hidden, measured.items) == (4, 4, 20, ITEMS)


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
