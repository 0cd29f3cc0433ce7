"""How columns become the ranker's numbers: what is missing, and what was never seen, is no category."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from remora.ranking.columns import RankerColumns


def test_a_missing_or_unseen_text_is_missing_even_where_the_empty_text_is_a_category() -> None:
    table = pa.table({"item_profile__brand": pa.array(["acme", "acme", "", "nan", None, "None"])})
    columns = RankerColumns.fit(table)
    (found,) = columns.matrix_of(table).T
    assert np.isnan(found).tolist() == [False, False, False, False, True, False]
    assert len(np.unique(found[~np.isnan(found)])) == 4
    unseen = {"item_profile__brand": np.array(["acmf", float("nan"), None], object)}
    assert np.isnan(columns.matrix(unseen, 3)).all()
