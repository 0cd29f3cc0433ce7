"""Packed histories against lists."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remora.core.errors import DataError
from remora.retrieval.interaction_histories import Histories, batches

LISTS = st.lists(st.lists(st.integers(0, 8), max_size=6), min_size=1, max_size=7)


@settings(max_examples=100, deadline=None)
@given(LISTS, st.integers(0, 4), st.integers(1, 5))
def test_they_hold_what_the_lists_hold(lists: list[list[int]], cut: int, length: int) -> None:
    packed = Histories.of(lists, items=9)
    assert [packed[n].tolist() for n in range(len(packed))] == lists
    shorter = packed.without_last(cut)
    assert [shorter[n].tolist() for n in range(len(shorter))] == [one[: max(0, len(one) - cut)] for one in lists]
    some = np.arange(len(lists))[::-1]
    chosen = packed.chosen(some)
    assert [chosen[n].tolist() for n in range(len(chosen))] == lists[::-1]
    padded = packed.padded(some, length)
    assert [[item for item in row if item >= 0] for row in padded.tolist()] == [one[-length:] for one in lists[::-1]]
    assert all((np.diff((row >= 0).astype(int)) <= 0).all() for row in padded)  # padding stands behind


def test_rows_beyond_the_catalogue_are_refused_with_what_to_do() -> None:
    with pytest.raises(DataError, match=r"rows 1 to 5, the catalogue has 0 to 4\. The vocabulary has changed"):
        Histories.of([[1, 5]], items=5)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(1, 50), min_size=1, max_size=200), st.integers(1, 9), st.integers(0, 5))
def test_batches_hold_every_user_once_and_are_the_same_for_the_same_seed(
    sizes: list[int], size: int, seed: int
) -> None:
    lengths = np.array(sizes)
    made = batches(lengths, size, np.random.default_rng(seed))
    assert sorted(np.concatenate(made).tolist()) == list(range(len(sizes)))
    assert max(len(batch) for batch in made) <= size
    again = batches(lengths, size, np.random.default_rng(seed))
    assert all((one == other).all() for one, other in zip(made, again, strict=True))
