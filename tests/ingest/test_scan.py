"""One partition of the scan: of equal ids the first row stays, and events of the lake before are rows too."""

from __future__ import annotations

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from remora.ingest.files import ORDER
from remora.ingest.scan import _PARTIAL, count

ROWS = st.lists(st.tuples(st.integers(0, 5), st.booleans()), max_size=12)
"""Ids by the order of their rows, and whether the row is of the lake before."""


@given(rows=ROWS)
def test_of_equal_ids_the_first_stays_and_what_is_kept_counts_for_no_day(rows: list[tuple[int, bool]]) -> None:
    partials = pl.DataFrame(
        [{"low": id, "high": 0, ORDER: place, "kept": kept, "rows": 1} for place, (id, kept) in enumerate(rows)],
        schema={name: pl.Schema(pl.from_arrow(_PARTIAL.empty_table()).schema)[name] for name in _PARTIAL.names},
    )
    shuffled = partials.sample(fraction=1.0, shuffle=True, seed=7).to_arrow().cast(_PARTIAL)
    lines = pl.DataFrame(pl.from_arrow(count(shuffled)))

    seen: set[int] = set()
    again, new = set(), 0
    for place, (id, kept) in enumerate(rows):
        if id in seen:
            again.add((place, kept))
        elif not kept:
            new += 1
        seen.add(id)
    duplicates = lines.filter(pl.col(ORDER).is_not_null())
    assert set(duplicates.select(ORDER, "kept").iter_rows()) == again
    assert lines.filter(pl.col(ORDER).is_null())["rows"].sum() == new
