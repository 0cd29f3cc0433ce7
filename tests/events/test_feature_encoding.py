"""Feature rows come out of the log as the model read them, bit by bit, and a record has a bounded size."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from tests.feedback.slates import AT, slate

from remora.core.errors import DataError
from remora.events.feature_encoding import MAX_BYTES, decode_rows, encode_rows
from remora.events.slate_log import encoded
from remora.events.tables import SLATES, slate_tables
from remora.pipeline import FeatureRows

MATRICES = arrays.arrays(
    np.float32,
    st.tuples(st.integers(0, 5), st.integers(0, 5)),
    elements=st.floats(width=32, allow_nan=True, allow_infinity=True),
)


def rows(values: np.ndarray) -> FeatureRows:
    return FeatureRows(schema="s", instant=AT, values=values)


@given(MATRICES)
def test_what_was_encoded_is_decoded_bit_by_bit(values: np.ndarray) -> None:
    found = decode_rows(json.loads(json.dumps(encode_rows(rows(values)))))
    assert (found.schema, found.instant, found.values.shape) == ("s", AT, values.shape)
    assert found.values.tobytes() == values.tobytes()


@given(st.lists(st.none() | MATRICES, min_size=1, max_size=4))
def test_slates_with_and_without_features_come_into_one_table(matrices: list[np.ndarray | None]) -> None:
    slates = [slate(n, features=None if m is None else rows(m)) for n, m in enumerate(matrices)]
    found = slate_tables([encoded(one) for one in slates], as_events=False)[SLATES].to_pylist()
    for row, matrix in zip(found, matrices, strict=True):
        if matrix is None:
            assert (row["features"], row["feature_schema"], row["feature_instant"]) == (None, None, None)
            continue
        assert (row["feature_schema"], row["feature_instant"]) == ("s", AT)
        np.testing.assert_array_equal(np.array(row["features"], np.float32).reshape(matrix.shape), matrix)


def test_a_column_in_another_order_of_bytes_or_memory_is_the_same_numbers() -> None:
    values = np.arange(12, dtype=">f4").reshape(4, 3)
    for other in (values, np.asfortranarray(values)):
        np.testing.assert_array_equal(decode_rows(encode_rows(rows(other))).values, values)


def test_of_too_many_numbers_the_first_items_are_kept() -> None:
    width = 1_000
    values = np.arange(200 * width, dtype=np.float32).reshape(200, width)
    found = decode_rows(encode_rows(rows(values)))
    assert len(found) == MAX_BYTES // (4 * width) < 200
    np.testing.assert_array_equal(found.values, values[: len(found)])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"shape": [2, 3]}, r"16 bytes, which are not of shape \(2, 3\)"),
        ({"shape": [4]}, "not of shape"),
        ({"shape": [-2, -2]}, "not of shape"),
        ({"float32": "no base64!"}, "are no base64"),
        ({"float32": ""}, "0 bytes"),
    ],
)
def test_what_does_not_fit_together_is_refused(change: dict[str, object], says: str) -> None:
    with pytest.raises(DataError, match=says):
        decode_rows(encode_rows(rows(np.zeros((2, 2), np.float32))) | change)


def test_a_prediction_that_is_no_number_is_null() -> None:
    of = {"bought": (math.nan, 0.5), "worth": (math.inf, 1.0)}
    [found] = slate_tables([encoded(slate(predictions=of))], as_events=False)[SLATES]["predictions"].to_pylist()
    assert found == [{"objective": "bought", "values": [None, 0.5]}, {"objective": "worth", "values": [None, 1.0]}]
