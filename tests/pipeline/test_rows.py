"""Sets of rows, beside NumPy's general functions."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from remora.pipeline.rows import group_sum, indices_of, isin, unique

ROWS = st.lists(st.integers(0, 40), max_size=60).map(lambda rows: np.array(rows, np.int32))


@given(rows=ROWS, these=ROWS)
def test_isin_is_membership(rows: np.ndarray, these: np.ndarray) -> None:
    assert np.array_equal(isin(rows, these), np.isin(rows, these))


@given(rows=ROWS)
def test_distinct_is_the_sorted_set(rows: np.ndarray) -> None:
    found = unique(rows)
    assert found.tolist() == sorted(set(rows.tolist()))
    assert found.dtype == np.int32


@given(rows=ROWS, seed=st.integers(0, 2**32 - 1))
def test_values_are_summed_by_row(rows: np.ndarray, seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=len(rows))
    found, sums = group_sum(rows, values)
    assert np.array_equal(found, unique(rows))
    np.testing.assert_allclose(sums, np.bincount(rows, values, minlength=41)[found], atol=1e-12)


@given(rows=ROWS, seed=st.integers(0, 2**32 - 1))
def test_each_is_found_where_it_is(rows: np.ndarray, seed: int) -> None:
    draw = np.random.default_rng(seed)
    distinct = draw.permutation(unique(rows))
    these = draw.permutation(distinct)[: len(distinct) // 2]
    assert distinct[indices_of(these, distinct)].tolist() == these.tolist()
