"""The next-item lists: those of the model, from a lake's events, with none of what came later."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from tests.datasets.worlds import START, clustered_events, make_lake, settings_for

from remora.contracts.vocabulary import Vocabulary
from remora.retrieval.linear.next_item import NextItem
from remora.retrieval.neighbours import Neighbours
from remora.retrieval.next_items import COLUMNS, FUTURE_DECAY, fit, of_histories
from remora.settings import RetrievalSettings

ITEMS, AS_OF = 12, START + timedelta(days=30)


def chosen(**changes: float) -> RetrievalSettings:
    numbers = {"next_items_decay": 2.0, "next_items_ridge": 1.0, "next_items_neighbours": 4}
    return RetrievalSettings.model_validate(numbers | changes)


def histories(users: int = 25) -> list[np.ndarray]:
    draw = np.random.default_rng(6)
    return [draw.integers(0, ITEMS - 1, draw.integers(1, 9)) for _ in range(users)]  # nobody had the last item


def lists(found: Neighbours) -> list[list[int]]:
    return [found.of(row).rows.tolist() for row in range(len(found.starts) - 1)]


def test_the_lists_are_the_largest_positive_weights_of_the_model() -> None:
    found = of_histories(histories(), ITEMS, chosen())
    several = [h for h in histories() if len(h) > 1]
    head = np.unique(np.concatenate(histories()))
    at = np.searchsorted(head, np.arange(ITEMS))
    model = NextItem.fit([at[h] for h in several], len(head), past_decay=2.0, future_decay=FUTURE_DECAY, ridge=1.0)
    for place, row in enumerate(head):
        weights = model.weights[place].copy()
        weights[place] = -np.inf
        expected = [n for n in np.argsort(-weights, kind="stable")[:4] if weights[n] > 0]
        assert found.of(row).rows.tolist() == head[expected].tolist()
        np.testing.assert_allclose(found.of(row).scores, weights[expected], rtol=1e-3, atol=1e-5)
    assert not len(found.of(ITEMS - 1).rows)


def test_a_lake_gives_the_lists_of_what_each_user_wanted_before_the_instant(
    ray_cluster: None, home_folder: Path
) -> None:
    events = clustered_events(users=20, items=24, clusters=3, days=60, per_user=9, seed=2)
    settings = settings_for(home_folder, retrieval=chosen().model_dump(), features={"partitions": 3})
    lake = make_lake(home_folder, events)
    vocabulary = lake.vocabulary()
    found = fit(lake.events(columns=COLUMNS), vocabulary, settings, AS_OF)  # events after AS_OF are there too
    wanted: dict[str, list[int]] = {user: [] for user in sorted({e[0] for e in events})}
    for user, item, kind, at in events:
        row = vocabulary.row(item)
        if at < AS_OF and kind != "dislike" and row is not None:
            wanted[user].append(row)
    expected = of_histories([np.array(w) for w in wanted.values() if w], len(vocabulary), settings.retrieval)
    assert lists(found) == lists(expected)
    assert any(lists(found))


def test_a_catalogue_beyond_the_limit_is_known_by_its_most_wanted_items() -> None:
    found = lists(of_histories(histories(), ITEMS, chosen(next_items_catalogue=5)))
    counts = np.bincount(np.concatenate(histories()), minlength=ITEMS)
    head = set(np.argsort(-counts, kind="stable")[:5].tolist())
    assert {row for row, one in enumerate(found) if one} <= head
    assert {other for one in found for other in one} <= head


@pytest.mark.parametrize("nothing", [[np.array([3])], [np.array([2]), np.array([2])]])
def test_nothing_that_follows_gives_empty_lists(nothing: list[np.ndarray]) -> None:
    assert lists(of_histories(nothing, ITEMS, chosen())) == [[]] * ITEMS


def test_turned_off_it_reads_nothing(home_folder: Path) -> None:
    settings = settings_for(home_folder, retrieval={"next_items_limit": 0})
    vocabulary = Vocabulary([f"i{row:02}" for row in range(ITEMS)])
    assert lists(fit(None, vocabulary, settings, AS_OF)) == [[]] * ITEMS  # type: ignore[arg-type]
