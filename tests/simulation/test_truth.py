"""What the world says of itself is what happens in it."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.simulation.worlds import moments, random_slates, small

from remora.simulation.truth import best_slates, click_probabilities, regret, rewards, slate_values

MODELS = ({"click_model": "pbm"}, {"click_model": "cascade"}, {"click_model": "cascade", "after_click": 0.5})


@given(seed=st.integers(0, 1_000), model=st.sampled_from(MODELS))
@settings(max_examples=30)
def test_values_and_regret_are_bounded(seed: int, model: dict[str, object]) -> None:
    world = small(seed=seed, **model)
    users, now = moments(world, 8)
    slates = random_slates(world, 8, 5, seed)
    chances = click_probabilities(world, users, slates, now)
    assert ((chances >= 0) & (chances <= 1)).all()
    best = slate_values(world, users, best_slates(world, users, 5, now), now)
    assert (best >= slate_values(world, users, slates, now) - 1e-9).all()
    assert (regret(world, users, slates, now) >= 0).all()
    assert regret(world, users, best_slates(world, users, 5, now), now) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("model", MODELS, ids=str)
def test_a_slates_value_is_the_mean_of_what_it_earns(model: dict[str, object]) -> None:
    """Clicks and conversions of many draws from one state, beside the expectation, within five standard errors."""
    world = small(**model, appeal=0.0)
    users, now = moments(world, 20)
    slates = random_slates(world, 20, 5, 1)
    value, earned = slate_values(world, users, slates, now), []
    for seed in range(1_500):
        again = copy.copy(world)
        for name in ("clicked", "trust", "has_left", "_appetite", "_satiation", "_satiated_at"):
            setattr(again, name, getattr(world, name).copy())
        again._draw = np.random.default_rng(seed)
        response = again.respond(users, slates, now)
        earned.append((response.clicked + world.settings.conversion_reward * response.converts).sum(axis=1))
    error = np.std(earned, axis=0) / np.sqrt(len(earned))
    assert (np.abs(np.mean(earned, axis=0) - value) < 5 * error + 1e-9).all()


def test_a_conversion_is_worth_more_than_its_click() -> None:
    world = small()
    users, _ = moments(world, 3)
    found = rewards(world, users, random_slates(world, 3, 4, 2))
    assert ((found > 1) & (found < 1 + world.settings.conversion_reward)).all()


def test_a_slate_longer_than_the_catalogue_is_refused() -> None:
    world = small()
    with pytest.raises(ValueError, match="31 items from 30"):
        best_slates(world, *(moments(world, 1)[0], 31, moments(world, 1)[1]))
