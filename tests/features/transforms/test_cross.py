"""Cross features against their definition, one row at a time."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from remora.features.transforms.cross import (
    AFFINITY,
    AFFINITY_NAMES,
    CATEGORIES,
    CATEGORY_AFFINITY,
    NUMBERS,
    cross,
    padded,
)

number = st.one_of(st.just(float("nan")), st.floats(0, 2e9))
row = st.tuples(
    st.tuples(*[number] * 5),
    st.one_of(st.none(), st.lists(st.floats(0, 1, width=32), min_size=3, max_size=3)),
    st.one_of(st.none(), st.lists(st.integers(0, 5), max_size=4, unique=True)),
)


def objects(values: list[object]) -> np.ndarray:
    return np.fromiter(values, object, len(values))


@given(st.lists(row, min_size=1, max_size=8), st.floats(0, 2e9))
@settings(max_examples=100)
def test_each_row_is_what_its_two_sides_say(rows: list[tuple], instant: float) -> None:
    columns = {name: np.array([r[0][at] for r in rows]) for at, name in enumerate(NUMBERS)}
    columns |= {AFFINITY: objects([r[1] for r in rows]), CATEGORIES: objects([r[2] for r in rows])}
    made = cross(columns, instant)
    assert all(values.dtype == np.float32 and values.shape == (len(rows),) for values in made.values())
    for at, ((user_last, user_mean, item_last, item_first, item_mean), shares, numbers) in enumerate(rows):
        expected = {
            "user_recency_days": (instant - user_last) / 86_400,
            "item_recency_days": (instant - item_last) / 86_400,
            "item_age_days": (instant - item_first) / 86_400,
            "value_gap": abs(user_mean - item_mean),
            CATEGORY_AFFINITY: np.nan if shares is None else sum(shares[n] for n in numbers or [] if n < 3),
        }
        for name, value in expected.items():
            np.testing.assert_allclose(made[f"user_item__{name}"][at], np.float32(value), rtol=1e-5, err_msg=name)


@given(row, st.lists(row, min_size=1, max_size=8), st.floats(0, 2e9))
@settings(max_examples=100)
def test_a_user_given_once_is_a_user_given_for_every_item(user: tuple, items: list[tuple], instant: float) -> None:
    def columns(users: list[tuple]) -> dict[str, np.ndarray]:
        sides = {name: users if name.startswith("user_") else items for name in NUMBERS}
        made = {name: np.array([r[0][at] for r in sides[name]]) for at, name in enumerate(NUMBERS)}
        return made | {AFFINITY: objects([r[1] for r in users]), CATEGORIES: objects([r[2] for r in items])}

    columns_of_user = cross(columns([user] * len(items)), instant)
    for name, values in cross(columns([user]), instant).items():
        np.testing.assert_array_equal(np.broadcast_to(values, (len(items),)), columns_of_user[name], err_msg=name)


def test_matrices_give_what_lists_give() -> None:
    shares = [[0.5, 0.25, 0.0], [0.1, 0.2, 0.3]]
    numbers = [[2, 0], [1]]
    zeros = {name: np.zeros(2) for name in NUMBERS}
    lists = cross({**zeros, AFFINITY: objects(shares), CATEGORIES: objects(numbers)}, 0.0)
    matrices = cross(
        {**zeros, AFFINITY: np.array(shares), CATEGORIES: padded(objects(numbers), -1, np.int32)}, np.zeros(2)
    )
    assert {k: v.tolist() for k, v in lists.items()} == {k: v.tolist() for k, v in matrices.items()}


def test_without_categories_there_is_no_affinity() -> None:
    assert f"user_item__{CATEGORY_AFFINITY}" not in cross({name: np.zeros(1) for name in NUMBERS}, 0.0)


NAMES = ("tea", "toys", "tools", "twine")


@given(st.permutations(NAMES), st.lists(st.floats(0, 1, width=32), min_size=4, max_size=4), st.integers(0, 2))
def test_a_user_of_other_feature_tables_is_read_by_the_names_of_the_categories(
    theirs: list[str], shares: list[float], padding: int
) -> None:
    """Whatever the order is in which these tables number the categories, and which of them have come or gone."""
    items = objects([[number] for number in range(len(NAMES))])
    share_of = dict(zip(theirs, shares, strict=True))
    for here in (theirs, [*theirs[:2], "new"], theirs[1:]):
        columns = {name: np.zeros(1) for name in NUMBERS} | {CATEGORIES: items, AFFINITY_NAMES: objects([here])}
        columns[AFFINITY] = np.array([[*(share_of.get(name, 0.5) for name in here), *[0.0] * padding]])
        found = cross(columns, 0.0, category_names=NAMES)[f"user_item__{CATEGORY_AFFINITY}"]
        expected = [share_of[name] if name in here else 0.0 for name in NAMES]
        np.testing.assert_allclose(found, np.float32(expected))


def test_without_names_the_numbers_are_those_of_the_items() -> None:
    columns = {name: np.zeros(1) for name in NUMBERS} | {CATEGORIES: objects([[1]]), AFFINITY: np.array([[0.2, 0.8]])}
    for names in ({}, {AFFINITY_NAMES: np.array([None], object)}):
        found = cross(columns | names, 0.0, category_names=NAMES)
        assert found[f"user_item__{CATEGORY_AFFINITY}"].tolist() == [np.float32(0.8)]
