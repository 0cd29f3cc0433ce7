"""Rows are trained on as they were logged where their schema is the model's, and rebuilt where it is not."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from tests.feedback.slates import AT, slate

from remora.core.home import Home
from remora.core.parquet import parquet_bytes
from remora.core.vocabulary import Vocabulary
from remora.datasets.labelled_slates import slates_of
from remora.datasets.logged_features import (
    BUNDLE_GONE,
    LOGGED,
    LOGGED_BUNDLE,
    NOT_LOGGED,
    OTHER_SCHEMA,
    as_logged,
    with_logged_features,
)
from remora.events.collected_slates import collected_slates
from remora.events.slate_log import encoded
from remora.events.tables import FEATURES, SLATE, SLATES, slate_tables
from remora.feedback.served_slate import ServedItem, ServedSlate
from remora.pipeline import FeatureRows
from remora.ranking.columns import RankerColumn, RankerColumns
from remora.ranking.slates import Slates

QUERIES, ITEMS = 6, 4
VOCABULARY = Vocabulary([f"i{n}" for n in range(20)])


def rebuilt() -> tuple[pa.Table, pa.Table]:
    """Rows as the join makes them, with numbers, texts and nulls, and their users' histories."""
    draw, n = np.random.default_rng(4), QUERIES * ITEMS
    query = np.repeat(np.arange(QUERIES), ITEMS)
    at = [AT + timedelta(hours=int(q)) for q in query]
    rows = pa.table(
        {
            "query_id": [f"u{q % 2}@r{q}" for q in query],
            "user_id": [f"u{q % 2}" for q in query],
            "item_id": [
                f"i{i}" for i in np.concatenate([draw.choice(20, ITEMS, replace=False) for _ in range(QUERIES)])
            ],
            "instant": pa.array(at, pa.timestamp("us", "UTC")),
            "history_events": np.zeros(n, np.int64),
            "label:liked": draw.integers(0, 2, n).astype(np.float32),
            "sampled": np.ones(n, np.float32),
            "item_activity__count": pa.array([None if x < 0.2 else int(x * 100) for x in draw.random(n)], pa.int64()),
            "item_profile__brand": draw.choice(["acme", "acme", "birch", "cedar"], n),
            "candidate__place": draw.random(n).astype(np.float32),
        }
    )
    asked = rows.select(["user_id", "instant"]).group_by(["user_id", "instant"]).aggregate([])
    return rows, asked.append_column("history", pa.array([[0]] * len(asked), pa.list_(pa.int32())))


ROWS, HISTORIES = rebuilt()
COLUMNS = RankerColumns.fit(ROWS)
SERVED_BY = RankerColumns(
    columns=tuple(
        c if c.categories is None else c.model_copy(update={"categories": ("cedar", "birch", "acme")})
        for c in COLUMNS.columns
    )
)
"""The same schema, whose texts have other numbers: the bundle was made of other data."""


def served(query: int, columns: RankerColumns = SERVED_BY, *, bundle: str = "b", **changes: object) -> ServedSlate:
    """The slate of a query as a bundle with these columns logs it."""
    rows = ROWS.slice(query * ITEMS, ITEMS)
    items = tuple(ServedItem(item, n, 0.5, 1.0, ()) for n, item in enumerate(rows["item_id"].to_pylist(), 1))
    features = FeatureRows(schema=columns.schema_hash, instant=AT, values=columns.matrix_of(rows))
    of = {"request_id": f"r{query}", "user_id": f"u{query % 2}", "items": items, "features": features, "bundle": bundle}
    return slate(**(of | {"predictions": {}} | changes))


def home_with(folder: Path, *files: list[ServedSlate]) -> Home:
    home = Home(str(folder))
    for number, slates in enumerate(files):
        table = slate_tables([encoded(one) for one in slates], as_events=False)[SLATES]
        home.write_bytes(f"{SLATES}/{number:08d}.parquet", parquet_bytes(table))
    return home


def trained(rows: pa.Table, by_bundle: dict[str, RankerColumns]) -> tuple[Slates, dict[str, int]]:
    return as_logged(slates_of(rows, HISTORIES, COLUMNS, VOCABULARY), rows, COLUMNS, by_bundle)


def counted(**counts: int) -> dict[str, int]:
    names = {"logged": LOGGED, "nothing": NOT_LOGGED, "schema": OTHER_SCHEMA, "gone": BUNDLE_GONE}
    return {name: counts.get(short, 0) for short, name in names.items()}


def test_where_nothing_changed_the_logged_rows_are_the_rebuilt_ones(home_folder: Path) -> None:
    home = home_with(home_folder, [served(0), served(1)], [served(2), served(4)], [slate(3)])
    rows = with_logged_features(home, ROWS)
    assert rows.select(ROWS.column_names).equals(ROWS)
    found, origins = trained(rows, {"b": SERVED_BY})
    plain = slates_of(ROWS, HISTORIES, COLUMNS, VOCABULARY)
    np.testing.assert_array_equal(found.batch.features, plain.batch.features)
    assert origins == counted(logged=4 * ITEMS, nothing=2 * ITEMS)


def test_what_was_logged_stands_where_the_join_says_something_else(home_folder: Path) -> None:
    one = served(0)
    assert one.features is not None
    changed = replace(one.features, values=one.features.values + np.float32(0.5))
    rows = with_logged_features(home_with(home_folder, [replace(one, features=changed)]), ROWS)
    found, _ = trained(rows, {"b": SERVED_BY})
    plain = slates_of(ROWS, HISTORIES, COLUMNS, VOCABULARY).batch.features
    number = COLUMNS.names.index("candidate__place")
    np.testing.assert_allclose(found.batch.features[:ITEMS, number], plain[:ITEMS, number] + 0.5)
    np.testing.assert_array_equal(found.batch.features[ITEMS:], plain[ITEMS:])


def test_another_schema_and_a_bundle_that_is_gone_are_rebuilt_and_counted(home_folder: Path) -> None:
    fewer = RankerColumns(columns=COLUMNS.columns[1:])
    home = home_with(home_folder, [served(0), served(1, fewer, bundle="old"), served(2, bundle="gone")])
    found, origins = trained(with_logged_features(home, ROWS), {"b": SERVED_BY, "old": fewer})
    plain = slates_of(ROWS, HISTORIES, COLUMNS, VOCABULARY)
    np.testing.assert_array_equal(found.batch.features, plain.batch.features)
    assert origins == counted(logged=ITEMS, schema=ITEMS, gone=ITEMS, nothing=3 * ITEMS)


def test_features_of_a_schema_that_the_bundle_does_not_have_are_not_trusted(home_folder: Path) -> None:
    fewer = RankerColumns(columns=COLUMNS.columns[1:])
    _, origins = trained(with_logged_features(home_with(home_folder, [served(0)]), ROWS), {"b": fewer})
    assert origins == counted(schema=ITEMS, nothing=5 * ITEMS)


def test_of_two_slates_with_one_id_the_first_counts_and_only_the_users_own(home_folder: Path) -> None:
    late = served(0, bundle="late", served_at=AT + timedelta(seconds=1))
    rows = with_logged_features(home_with(home_folder, [late], [served(0), served(1, user_id="u0")]), ROWS)
    assert rows[LOGGED_BUNDLE].to_pylist() == ["b"] * ITEMS + [None] * (QUERIES - 1) * ITEMS


def test_of_a_long_slate_whose_last_rows_were_not_kept_these_are_rebuilt(home_folder: Path) -> None:
    one = served(0)
    assert one.features is not None
    kept = one.features.take(np.arange(2))
    rows = with_logged_features(home_with(home_folder, [replace(one, features=kept)]), ROWS)
    _, origins = trained(rows, {"b": SERVED_BY})
    assert origins == counted(logged=2, nothing=QUERIES * ITEMS - 2)


@pytest.mark.parametrize("files", [0, 1])
def test_a_home_without_logged_features_and_one_that_was_collected_before_there_were_any(
    home_folder: Path, files: int
) -> None:
    home = home_with(home_folder, *([[slate(), slate(2)]] * files))
    for path in home.files(SLATES):
        [before] = collected_slates(home, SLATE.names[:13])
        home.write_bytes(f"{SLATES}/{path}", parquet_bytes(before))
    assert [table[FEATURES].null_count for table in collected_slates(home, [FEATURES])] == [2] * files
    assert trained(with_logged_features(home, ROWS), {})[1] == counted(nothing=QUERIES * ITEMS)


def test_rows_of_retrieval_have_no_origins() -> None:
    assert trained(ROWS, {})[1] == {}


def test_a_column_is_a_number_or_a_text_in_the_schema() -> None:
    assert SERVED_BY.schema_hash == COLUMNS.schema_hash
    numbers = RankerColumns(columns=tuple(RankerColumn(name=name) for name in COLUMNS.names))
    assert numbers.schema_hash != COLUMNS.schema_hash
