"""Small worlds of the presets have the visits and repetitions of the data; that of popularity needs its full size."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ks_2samp
from tests.simulation.worlds import history

from remora.simulation.presets import PRESETS
from remora.simulation.world import World


@pytest.mark.parametrize(("name", "days"), [("movielens", 20), ("shop", 25)])
def test_visits_and_repetitions_are_those_of_the_data(name: str, days: int) -> None:
    preset = PRESETS[name]
    world = World(preset.world.model_copy(update={"users": 250}))
    done = history(world, days)
    clicked = [(day.users, day.slates, day.visits, *np.nonzero(day.clicked)) for day in done]
    pairs = np.concatenate([users[row] * 10_000 + slates[row, place] for users, slates, _, row, place in clicked])
    visits = np.concatenate([visits[row] for *_, visits, row, _ in clicked])
    sizes = np.unique(visits, return_counts=True)[1]
    quantiles = np.asarray(preset.world.interactions)
    wanted = np.rint(np.interp(np.linspace(0, 1, 10_001), np.linspace(0, 1, len(quantiles)), quantiles))
    assert ks_2samp(sizes, wanted).statistic < 0.13  # of some 500 visits chance alone makes 0.05
    assert 1 - len(np.unique(pairs)) / len(pairs) == pytest.approx(preset.targets.repeat_share, abs=0.15)
