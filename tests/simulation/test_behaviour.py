"""The click models beside loops over single users, and their best slates beside all permutations."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remora.simulation.behaviour import Cascade, ClickModel, PositionBased

DRAWS = 20_000
chance = st.floats(0, 1)
models = st.one_of(
    st.builds(PositionBased, decay=st.floats(0, 3)),
    st.builds(Cascade, persistence=chance, after_click=chance),
)
attractions = st.lists(chance, min_size=2, max_size=5).map(np.array)


def one_look(model: ClickModel, attraction: np.ndarray, draw: np.random.Generator) -> list[bool]:
    """One user's look at a slate, as the papers tell it."""
    clicked = [False] * len(attraction)
    for place, attracts in enumerate(attraction):
        if isinstance(model, PositionBased):
            clicked[place] = bool(draw.random() < (place + 1) ** -model.decay and draw.random() < attracts)
            continue
        assert isinstance(model, Cascade)
        clicked[place] = bool(draw.random() < attracts)
        if draw.random() >= (model.after_click if clicked[place] else model.persistence):
            break
    return clicked


@given(models, attractions)
def test_chances_are_chances_and_no_click_is_more_likely_than_its_attraction(model, attraction) -> None:
    found = model.probabilities(attraction[None])[0]
    assert ((found >= 0) & (found <= attraction + 1e-12)).all()


@pytest.mark.parametrize(
    "model", [PositionBased(0.7), PositionBased(0.0), Cascade(1.0, 0.0), Cascade(0.9, 0.4), Cascade(1.0, 1.0)], ids=str
)
def test_clicks_are_those_of_a_loop_over_single_users(model: ClickModel) -> None:
    attraction = np.array([0.6, 0.1, 0.9, 0.3])
    draw = np.random.default_rng(3)
    together = model.clicks(np.tile(attraction, (DRAWS, 1)), draw)
    alone = np.array([one_look(model, attraction, draw) for _ in range(DRAWS)])
    error = 5 * np.sqrt(0.25 / DRAWS)
    for measure in (together, alone):
        assert np.abs(measure.mean(axis=0) - model.probabilities(attraction[None])[0]).max() < error
    pairs = [(np.asarray(one).T @ np.asarray(one, float)) / DRAWS for one in (together, alone)]  # clicks on two places
    assert np.abs(pairs[0] - pairs[1]).max() < 2 * error


def test_the_cascade_of_the_paper_ends_at_the_first_click() -> None:
    clicks = Cascade(1.0, 0.0).clicks(np.full((1_000, 6), 0.5), np.random.default_rng(1))
    assert clicks.sum(axis=1).max() == 1


@given(models, attractions, st.data())
def test_no_slate_is_worth_more_than_the_best_one(model, attraction, data) -> None:
    items = len(attraction)
    reward = np.array(data.draw(st.lists(st.floats(0, 5), min_size=items, max_size=items)))
    n = data.draw(st.integers(1, items))

    def worth(slate: tuple[int, ...]) -> float:
        order = list(slate)
        return float((model.probabilities(attraction[order][None])[0] * reward[order]).sum())

    best = model.best(attraction[None], reward[None], n)[0]
    assert len(set(best.tolist())) == n
    assert worth(tuple(best)) == pytest.approx(max(worth(slate) for slate in permutations(range(items), n)), abs=1e-9)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_users_who_look_at_one_item_alone_get_the_best_one_first_and_a_whole_slate(n: int) -> None:
    attraction, reward = np.array([[0.2, 0.9, 0.5]]), np.ones((1, 3))
    best = Cascade(0.0, 0.0).best(attraction, reward, n)[0].tolist()
    assert best[0] == 1
    assert len(set(best)) == n


def test_examination_is_declared() -> None:
    assert PositionBased(1.0).examination(4).tolist() == pytest.approx([1, 1 / 2, 1 / 3, 1 / 4])
