"""Hidden items leave targets and histories alike, and nothing else does."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from remora.core.vocabulary import Vocabulary
from remora.datasets.holdout_items import hidden_items, select, without

ITEMS, LENGTH = 8, 4
EXAMPLES = st.lists(
    st.tuples(st.lists(st.integers(0, ITEMS - 1), max_size=LENGTH), st.integers(0, ITEMS - 1)), max_size=12
)


@given(EXAMPLES, st.sets(st.integers(0, ITEMS - 1)))
def test_examples_are_split_by_their_target_and_histories_lose_what_is_hidden(
    examples: list[tuple[list[int], int]], hidden: set[int]
) -> None:
    def table(rows: list[tuple[list[int], int]]) -> pa.Table:
        padded = [[-1] * (LENGTH - len(history)) + history for history, _ in rows]
        lists = pa.FixedSizeListArray.from_arrays(pa.array([n for one in padded for n in one], pa.int32()), LENGTH)
        return pa.table({"history": lists, "target": pa.array([t for _, t in rows], pa.int32())})

    mask = np.isin(np.arange(ITEMS), list(hidden))
    seen = [([n for n in history if n not in hidden], target) for history, target in examples]
    assert without(table(examples), mask).to_pylist() == table([e for e in seen if e[1] not in hidden]).to_pylist()
    assert select(table(examples), mask).to_pylist() == table([e for e in seen if e[1] in hidden]).to_pylist()


def test_about_that_share_is_hidden_the_same_every_time_and_more_hides_more() -> None:
    vocabulary = Vocabulary([f"i{n}" for n in range(2_000)])
    tenth, third = hidden_items(vocabulary, 0.1), hidden_items(vocabulary, 0.3)
    assert 150 < tenth.sum() < 250
    assert (third >= tenth).all()
    np.testing.assert_array_equal(tenth, hidden_items(vocabulary, 0.1))
    assert not hidden_items(vocabulary, 0.0).any()
