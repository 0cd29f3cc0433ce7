"""Content becomes the same numbers everywhere, also after JSON, also for rows that were not there when fitted."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa

from remora.retrieval.content import Content

TABLE = pa.table(
    {
        "genres": pa.array([["drama", "war"], ["drama"], None, []], pa.list_(pa.string())),
        "country": pa.array(["fr", None, "de", "fr"]),
        "colour": pa.array([True, False, None, True]),
        "year": pa.array([1990, 2000, None, 2010], pa.int64()),
        "title": pa.array(["The End", "the beginning, the end", None, ""]),
    }
)


def fitted() -> Content:
    return Content.fit(TABLE, ["genres", "country", "colour", "year"], text=["title"], buckets=1000)


def test_each_value_has_a_tag_of_its_own_and_zero_is_none() -> None:
    content, encoded = fitted(), fitted().encode(TABLE)
    tag = {(column, value): n for column, values in content.tags.items() for value, n in values.items()}
    assert sorted(tag.values()) == list(range(1, 7))
    assert encoded.tags[0].tolist() == [
        tag["genres", "drama"], tag["genres", "war"], tag["country", "fr"], tag["colour", "true"]
    ]  # fmt: skip
    assert encoded.tags[1].tolist() == [tag["genres", "drama"], tag["colour", "false"], 0, 0]
    assert encoded.tags[2].tolist() == [tag["country", "de"], 0, 0, 0]


def test_numbers_are_standardised_and_a_missing_one_is_the_mean() -> None:
    numbers = fitted().encode(TABLE).numbers[:, 0]
    np.testing.assert_allclose(numbers[[0, 1, 3]].mean(), 0, atol=1e-6)
    np.testing.assert_allclose(numbers[[0, 1, 3]].std(), 1, atol=1e-6)
    assert numbers[2] == 0


def test_the_same_word_is_the_same_number_in_every_case() -> None:
    words = fitted().encode(TABLE).words
    the, end = words[0, :2]
    assert words[1, :4].tolist() == [the, words[1, 1], the, end]
    assert not words[2:].any()


def test_a_value_that_was_never_seen_is_no_tag() -> None:
    other = TABLE.slice(0, 1).set_column(1, "country", pa.array(["nowhere"]))
    assert fitted().encode(other).tags[0].tolist()[:2] == fitted().encode(TABLE).tags[0].tolist()[:2]
    assert (fitted().encode(other).tags[0] > 0).sum() == 3


def test_content_comes_back_from_json() -> None:
    content = fitted()
    assert Content.from_json(json.loads(json.dumps(content.to_json()))) == content


def test_no_columns_give_arrays_that_say_nothing() -> None:
    encoded = Content.fit(TABLE, []).encode(TABLE)
    assert encoded.tags.shape == encoded.words.shape == encoded.numbers.shape == (4, 1)
    assert not encoded.tags.any()
    assert not encoded.numbers.any()
