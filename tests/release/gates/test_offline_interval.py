"""The interval of candidate less production is that of a bootstrap of users written out by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from remora.datasets.splits import Window
from remora.evaluation.accumulator import Column, ReplaySums
from remora.evaluation.segments import ALL
from remora.release.gates.evidence.replays import CANDIDATE, PRODUCTION, GateReplay, after_training, offline
from remora.settings import EvaluationSettings, GatesSettings

START = datetime(2026, 3, 1, tzinfo=UTC)
WINDOW = Window(START, START + timedelta(days=10))


def replay_sums(system: str, users: int, values: np.ndarray, counts: np.ndarray) -> ReplaySums:
    return ReplaySums(
        columns=(Column(system, "ndcg", 10, ALL),),
        users=tuple(f"u{user:03}" for user in range(users)),
        totals=values[:, None],
        counts=counts[:, None],
        covered={},
        queries={ALL: int(counts.sum())},
        degraded={},
    )


def by_hand(mine: np.ndarray, theirs: np.ndarray, counts: np.ndarray, level: float) -> tuple[float, float]:
    draw = np.random.default_rng(99)
    differences = []
    for _ in range(8_000):
        users = draw.integers(0, len(counts), len(counts))
        asked = counts[users].sum()
        differences.append(mine[users].sum() / asked - theirs[users].sum() / asked)
    low, high = np.quantile(differences, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


@pytest.mark.parametrize("level", [0.95, 0.8])
def test_the_interval_is_that_of_a_bootstrap_of_users_by_hand(level: float) -> None:
    draw = np.random.default_rng(3)
    users = 150
    counts = draw.integers(1, 7, users).astype(float)
    skill = draw.beta(1, 3, users)
    mine = counts * (skill + draw.normal(0.01, 0.05, users))
    theirs = counts * (skill + draw.normal(0.0, 0.05, users))
    both = replay_sums(CANDIDATE, users, mine, counts) + replay_sums(PRODUCTION, users, theirs, counts)
    found = offline(
        GateReplay(window=WINDOW, queries=int(counts.sum()), sums=both, items=10),
        GatesSettings(confidence_level=level),
        EvaluationSettings(bootstrap_samples=8_000),
    ).compared[0]
    low, high = by_hand(mine, theirs, counts, level)
    assert found.candidate == pytest.approx(mine.sum() / counts.sum())
    assert found.production == pytest.approx(theirs.sum() / counts.sum())
    assert found.low == pytest.approx(low, abs=0.04 * (high - low))
    assert found.high == pytest.approx(high, abs=0.04 * (high - low))


def learned_until(*cuts: datetime) -> list[Any]:
    return [cast(Any, SimpleNamespace(lineage=SimpleNamespace(split={"validation": cut}))) for cut in cuts]


def test_only_what_is_later_than_both_trainings_is_asked_about() -> None:
    day = timedelta(days=1)
    assert after_training(WINDOW, learned_until(START - day, START - 5 * day)) == WINDOW
    assert after_training(WINDOW, learned_until(START - day, START + 3 * day)).start == START + 3 * day
    later = after_training(WINDOW, learned_until(START + 30 * day))
    assert later.start == later.end == WINDOW.end
