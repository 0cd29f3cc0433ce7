"""Merging members: what the weights promise."""

from __future__ import annotations

import numpy as np
from benchmarks.retrieval.ensemble import choose_weights, ensemble, standardised
from hypothesis import given, settings
from hypothesis import strategies as st


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 1000), st.floats(0.01, 100), st.floats(-50, 50))
def test_scale_and_level_of_a_member_make_no_difference(seed: int, scale: float, level: float) -> None:
    scores = np.random.default_rng(seed).normal(size=(4, 9)).astype(np.float32)
    np.testing.assert_allclose(
        standardised(scores * np.float32(scale) + np.float32(level)), standardised(scores), atol=2e-2
    )


def test_a_member_that_knows_nothing_of_a_user_says_nothing() -> None:
    flat = np.full((2, 3), 7.0, np.float32)
    knows = np.array([[3, 1, 2], [1, 2, 3]], np.float32)
    assert (standardised(flat) == 0).all()
    both = ensemble({"flat": flat, "knows": knows}, {"flat": 0.5, "knows": 0.5})
    assert (both.argsort(1) == knows.argsort(1)).all()


def test_the_chosen_merge_is_never_worse_than_its_best_member_and_uses_what_helps() -> None:
    draw = np.random.default_rng(3)
    truth = draw.normal(size=(200, 30)).astype(np.float32)
    wanted = truth.argmax(1)
    members = {f"noisy{n}": truth + draw.normal(size=truth.shape, scale=1.0).astype(np.float32) for n in range(3)}
    members["noise"] = draw.normal(size=truth.shape).astype(np.float32)
    quality = lambda scores: float((scores.argmax(1) == wanted).mean())  # noqa: E731
    weights = choose_weights(members, quality)
    assert abs(sum(weights.values()) - 1) < 1e-3
    assert weights["noise"] <= 0.1
    assert quality(ensemble(members, weights)) > 1.1 * max(quality(scores) for scores in members.values())


def test_without_gain_the_best_member_stands_alone() -> None:
    best = np.eye(4, dtype=np.float32)
    weights = choose_weights({"best": best, "worst": -best}, lambda s: float((s.argmax(1) == np.arange(4)).mean()))
    assert weights == {"best": 1.0, "worst": 0.0}
