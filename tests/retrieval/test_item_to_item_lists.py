"""The lists of the linear models: theirs, from a lake's events, with none of what came later."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from tests.datasets.worlds import START, clustered_events, make_lake, settings_for

from remora.extensions import names
from remora.extensions.kinds import LINEAR_MODEL
from remora.retrieval.interaction_histories import Histories
from remora.retrieval.item_to_item_lists import fit, of_histories
from remora.retrieval.models.linear import LinearLists
from remora.retrieval.neighbours import Neighbours
from remora.retrieval.positive_events import COLUMNS

ITEMS, AS_OF = 12, START + timedelta(days=30)


def chosen(**changes: Any) -> LinearLists.Config:
    model = {"type": "next_item", "past_decay": 2.0, "ridge": 1.0}
    return LinearLists.Config.model_validate({"model": model, "top_k": 4} | changes)


def histories(users: int = 25) -> list[np.ndarray]:
    draw = np.random.default_rng(6)
    return [draw.integers(0, ITEMS - 1, draw.integers(1, 9)) for _ in range(users)]  # nobody had the last item


def lists(found: Neighbours) -> list[list[int]]:
    return [found.of(row).rows.tolist() for row in range(len(found.starts) - 1)]


@pytest.mark.parametrize("name", names(LINEAR_MODEL))
def test_the_lists_are_the_largest_positive_scores_of_a_user_who_had_that_item_alone(name: str) -> None:
    own = {"graph_filter": {"rank": 6}}.get(name, {"ridge": 1.0})
    config = chosen(model={"type": name, **own})
    found = of_histories(histories(), ITEMS, config)
    several = [h for h in histories() if len(h) > 1]
    head = np.unique(np.concatenate(histories()))
    at = np.searchsorted(head, np.arange(ITEMS))
    choice = config.model
    model = choice.component.cls.learn(Histories.of([at[h] for h in several], len(head)), choice.config)
    every = model.scores(sp.csr_array(np.eye(len(head), dtype=np.float32)))
    for place, row in enumerate(head):
        scores = every[place].copy()
        scores[place] = -np.inf
        expected = [n for n in np.argsort(-scores, kind="stable")[:4] if scores[n] > 0]
        assert found.of(row).rows.tolist() == head[expected].tolist()
        np.testing.assert_allclose(found.of(row).scores, scores[expected], rtol=1e-3, atol=1e-5)
    assert not len(found.of(ITEMS - 1).rows)


def test_a_lake_gives_the_lists_of_each_users_positive_items_before_the_instant(
    ray_cluster: None, home_folder: Path
) -> None:
    events = clustered_events(users=20, items=24, clusters=3, days=60, per_user=9, seed=2)
    settings = settings_for(home_folder, features={"partitions": 3})
    lake = make_lake(home_folder, events)
    vocabulary = lake.vocabulary()
    found = fit(lake.events(columns=COLUMNS), vocabulary, settings, AS_OF, chosen())  # events after AS_OF are there too
    wanted: dict[str, list[int]] = {user: [] for user in sorted({e[0] for e in events})}
    for user, item, kind, at in events:
        row = vocabulary.row(item)
        if at < AS_OF and kind != "dislike" and row is not None:
            wanted[user].append(row)
    expected = of_histories([np.array(w) for w in wanted.values() if w], len(vocabulary), chosen())
    assert lists(found) == lists(expected)
    assert any(lists(found))


def test_a_catalogue_beyond_the_limit_is_known_by_its_most_popular_items() -> None:
    found = lists(of_histories(histories(), ITEMS, chosen(max_items=5)))
    counts = np.bincount(np.concatenate(histories()), minlength=ITEMS)
    head = set(np.argsort(-counts, kind="stable")[:5].tolist())
    assert {row for row, one in enumerate(found) if one} <= head
    assert {other for one in found for other in one} <= head


@pytest.mark.parametrize("nothing", [[np.array([3])], [np.array([2]), np.array([2])]])
def test_nothing_that_follows_gives_empty_lists(nothing: list[np.ndarray]) -> None:
    assert lists(of_histories(nothing, ITEMS, chosen())) == [[]] * ITEMS
