"""Logged rows beside recomputed ones: equal ones agree, and what was planted is named with the request."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from remora.features.logged_parity import ComparedRows

NAMES = ("item_activity__count_7d", "item_activity__mean_value", "user_profile__city")
BRANDS = ("oslo", "rome")
NUMBERS = st.just(np.nan) | st.floats(-1e6, 1e6, width=32)


@st.composite
def matrices(draw: st.DrawFn) -> np.ndarray:
    numbers = draw(arrays.arrays(np.float32, st.tuples(st.integers(1, 6), st.just(2)), elements=NUMBERS))
    texts = draw(arrays.arrays(np.float32, len(numbers), elements=st.sampled_from([np.nan, 0.0, 1.0])))
    return np.column_stack([numbers, texts]).astype(np.float32)


def compared(logged: np.ndarray, recomputed: np.ndarray) -> ComparedRows:
    keys = [f"item i{n} of request r" for n in range(len(logged))]
    return ComparedRows(names=NAMES, categories=(None, None, BRANDS), keys=keys, logged=logged, recomputed=recomputed)


@given(matrices())
def test_the_same_numbers_do_not_differ_and_neither_does_the_last_bit(rows: np.ndarray) -> None:
    assert compared(rows, rows.copy()).differences() == []
    nearly = rows.copy()
    fraction = rows[:, 1] != np.round(rows[:, 1])
    nearly[fraction, 1] = np.nextafter(rows[fraction, 1], np.float32(np.inf))
    assert compared(rows, nearly).differences() == []


@given(matrices(), st.data())
def test_a_planted_difference_names_its_column_and_its_item(rows: np.ndarray, data: st.DataObject) -> None:
    row, column = data.draw(st.integers(0, len(rows) - 1)), data.draw(st.integers(0, 2))
    other = rows.copy()
    other[row, column] = 1.0 if np.isnan(rows[row, column]) else np.nan
    [found] = compared(rows, other).differences()
    assert (found.column, found.rows, found.example) == (NAMES[column], 1, f"item i{row} of request r")
    assert (found.served == "None") != (found.recomputed == "None")


def test_whole_numbers_must_be_equal_and_texts_are_named() -> None:
    logged = np.array([[16_000_000, 0.5, 0], [3, 1_000.5, 1]], np.float32)
    recomputed = np.array([[16_000_001, 0.5, 1], [3, 1_000.6, 1]], np.float32)
    count, mean, city = compared(logged, recomputed).differences()
    assert (count.column, count.served, count.recomputed) == (NAMES[0], "16000000.0", "16000001.0")
    assert (mean.column, mean.example) == (NAMES[1], "item i1 of request r")
    assert (city.served, city.recomputed) == ("oslo", "rome")
