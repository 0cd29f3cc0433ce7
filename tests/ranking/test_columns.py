"""How columns become the ranker's numbers: what is missing, and what was never seen, is no category."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from remora.ranking.columns import RankerColumn, RankerColumns


def test_a_missing_or_unseen_text_is_missing_even_where_the_empty_text_is_a_category() -> None:
    table = pa.table({"item_profile__brand": pa.array(["acme", "acme", "", "nan", None, "None"])})
    columns = RankerColumns.fit(table)
    (found,) = columns.matrix_of(table).T
    assert np.isnan(found).tolist() == [False, False, False, False, True, False]
    assert len(np.unique(found[~np.isnan(found)])) == 4
    unseen = {"item_profile__brand": np.array(["acmf", float("nan"), None], object)}
    assert np.isnan(columns.matrix(unseen, 3)).all()


BRANDS = st.lists(st.sampled_from(["acme", "birch", "cedar", None]), min_size=1, max_size=12)


def by_brand(*categories: str) -> RankerColumns:
    count = RankerColumn(name="item_activity__count")
    return RankerColumns(columns=(count, RankerColumn(name="item_profile__brand", categories=categories)))


@given(BRANDS)
def test_rows_of_columns_with_categories_in_another_order_become_what_these_columns_make(brands: list[str]) -> None:
    table = pa.table(
        {"item_activity__count": [1.5] * len(brands), "item_profile__brand": pa.array(brands, pa.string())}
    )
    before, now = by_brand("acme", "birch", "cedar"), by_brand("cedar", "acme")
    assert before.schema_hash == now.schema_hash
    np.testing.assert_array_equal(now.recoded(before.matrix_of(table), before), now.matrix_of(table))


def test_another_name_kind_or_order_is_another_schema() -> None:
    number, text = RankerColumn(name="a"), RankerColumn(name="b", categories=("x",))
    others = [(number,), (text, number), (number, RankerColumn(name="b")), (number, RankerColumn(name="c"))]
    hashes = {RankerColumns(columns=one).schema_hash for one in ((number, text), *others)}
    assert len(hashes) == 5
