from __future__ import annotations

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from remora.core.vocabulary import Vocabulary


@given(st.lists(st.text(min_size=1), max_size=50))
def test_every_id_comes_back_from_its_row(ids: list[str]) -> None:
    vocabulary = Vocabulary(ids)
    assert vocabulary.ids.to_pylist() == sorted(set(ids))
    assert Vocabulary(pa.chunked_array([ids[:3], ids[3:]], pa.string())).ids == vocabulary.ids
    assert vocabulary.to_ids(vocabulary.rows(ids)) == ids


@given(st.lists(st.text(min_size=1), max_size=50), st.lists(st.text(min_size=1), max_size=50))
def test_unknown_ids_have_no_row(ids: list[str], asked: list[str]) -> None:
    vocabulary = Vocabulary(ids)
    assert vocabulary.to_ids(vocabulary.rows(asked)) == [id for id in asked if id in set(ids)]


def test_rows_do_not_depend_on_the_order_of_the_source() -> None:
    assert Vocabulary(["b", "a"]).ids == Vocabulary(["a", "b", "a"]).ids
