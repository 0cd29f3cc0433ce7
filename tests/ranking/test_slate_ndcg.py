"""NDCG of many slates is what scikit-learn says of each."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score

from remora.ranking.slate_ndcg import mean_ndcg, slate_ndcg


@given(seed=st.integers(0, 2**32 - 1), sizes=st.lists(st.integers(2, 30), min_size=1, max_size=6), k=st.integers(1, 12))
def test_each_slate_is_scikit_learns(seed: int, sizes: list[int], k: int) -> None:
    draw = np.random.default_rng(seed)
    slate = np.repeat(np.arange(len(sizes)), sizes)
    scores = draw.permutation(len(slate)).astype(np.float64)  # without ties, over which scikit-learn takes the mean
    gains = draw.choice([0.0, 0.0, 0.5, 1.0], len(slate))
    found = slate_ndcg(scores, gains, slate, k)
    for n, value in enumerate(found):
        inside = slate == n
        if gains[inside].any():
            assert value == pytest.approx(ndcg_score([gains[inside]], [scores[inside]], k=k))
        else:
            assert np.isnan(value)


def test_the_mean_is_over_slates_with_a_gain() -> None:
    slate = np.array([0, 0, 1, 1])
    assert mean_ndcg(np.array([2.0, 1, 2, 1]), np.array([1.0, 0, 0, 0]), slate) == 1.0
    assert mean_ndcg(np.zeros(4), np.zeros(4), slate) == 0.0
    assert mean_ndcg(np.empty(0), np.empty(0), np.empty(0, np.int64)) == 0.0
