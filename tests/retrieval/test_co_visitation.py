"""Co-visitation counts what a loop over pairs counts, and nothing from after its instant."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from math import log2
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ray.data import DataContext
from tests.datasets.worlds import START, clustered_events, make_lake, settings_for

from remora.retrieval import co_visitation
from remora.retrieval.co_visitation import count
from remora.retrieval.models.co_visitation import CoVisitation
from remora.retrieval.neighbours import Neighbours
from remora.retrieval.positive_events import COLUMNS

AS_OF = START + timedelta(days=30)
HALF_LIFE, WINDOW, DAMPING, KEPT = 10.0, 3, 0.3, 5


@pytest.mark.parametrize("most_bytes", [None, 64], ids=["blocks as they come", "large blocks are cut"])
def test_scores_are_those_of_a_loop_and_the_future_changes_none(
    ray_cluster: None,
    home_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    most_bytes: int | None,
) -> None:
    if most_bytes is not None:
        monkeypatch.setattr(DataContext.get_current(), "target_max_block_size", most_bytes)
    events = clustered_events(users=15, items=24, clusters=2, days=60, per_user=9, seed=2)
    settings = settings_for(
        home_folder,
        features={"partitions": 2},
    )
    config = CoVisitation.Config(half_life_days=HALF_LIFE, window=WINDOW, popularity_exponent=DAMPING, neighbours=KEPT)
    lake = make_lake(home_folder, events)
    vocabulary = lake.vocabulary()
    found = count(lake.events(columns=COLUMNS), vocabulary, settings, AS_OF, config)  # events after AS_OF are there too

    pairs: dict[tuple[int, int], float] = defaultdict(float)
    for user in {e[0] for e in events}:
        own = [e for e in events if e[0] == user and e[3] < AS_OF and e[2] != "dislike"]
        for later in range(len(own)):
            for earlier in range(max(0, later - WINDOW), later):
                age = (AS_OF - own[later][3]) / timedelta(days=1)
                weight = 2 ** (-age / HALF_LIFE) / log2(1 + later - earlier)
                one, two = vocabulary.row(own[earlier][1]), vocabulary.row(own[later][1])
                pairs[one, two] += weight
                pairs[two, one] += weight
    own_sum: dict[int, float] = defaultdict(float)
    for (one, _), weight in pairs.items():
        own_sum[one] += weight
    for row in range(len(vocabulary)):
        scores = {b: w / (own_sum[a] * own_sum[b]) ** DAMPING for (a, b), w in pairs.items() if a == row}
        best = sorted(scores, key=lambda b: (-scores[b], b))[:KEPT]
        np.testing.assert_allclose(found.of(row).scores, [scores[b] for b in best], rtol=1e-5)
        assert set(found.of(row).rows.tolist()) == set(best)

    found.save(tmp_path / "neighbours.parquet")
    again = Neighbours.load(tmp_path / "neighbours.parquet")
    assert again.starts.tolist() == found.starts.tolist()
    assert again.of(3).rows.tolist() == found.of(3).rows.tolist()


@given(
    histories=st.lists(st.lists(st.integers(0, 5), max_size=12), max_size=4),
    window=st.integers(1, 14),
    most_pending=st.sampled_from([0, 3, 1_000]),
)
def test_pairs_are_the_same_whenever_they_are_added_up(
    histories: list[list[int]], window: int, most_pending: int
) -> None:
    events = pl.DataFrame(
        {
            "user": [user for user, history in enumerate(histories) for _ in history],
            "row": [row for history in histories for row in history],
            "decay": [1 / (1 + place) for history in histories for place in range(len(history))],
        },
        schema={"user": pl.UInt32, "row": pl.Int32, "decay": pl.Float64},
    ).to_arrow()
    expected: dict[tuple[int, int], float] = defaultdict(float)
    for history in histories:
        for later in range(len(history)):
            for earlier in range(max(0, later - window), later):
                one, two = history[earlier], history[later]
                for pair in {(one, two), (two, one)} if one != two else ():
                    expected[pair] += 1 / (1 + later) / log2(1 + later - earlier)

    chosen = CoVisitation.Config(window=window)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(co_visitation, "MOST_PENDING", most_pending)
        tables = list(co_visitation._pairs(events, np.ones(6), chosen))
    rows = [(r["item"], r["other"], r["score"]) for t in tables for r in t.to_pylist()]
    assert {(item, other): score for item, other, score in rows} == pytest.approx(expected)
    assert len(rows) == len(expected)

    own: dict[int, float] = defaultdict(float)
    for (item, _), weight in expected.items():
        own[item] += weight
    sums = {r["item"]: r["own"] for r in co_visitation._own_sums(events, chosen).to_pylist() if r["own"]}
    assert sums == pytest.approx(own)


def test_several_seeds_add_up() -> None:
    neighbours = Neighbours(
        np.array([0, 2, 3, 3]), np.array([1, 2, 2], np.int32), np.array([1.0, 0.5, 0.25], np.float32)
    )
    found = neighbours.of_many(np.array([0, 1, 2], np.int32), np.array([1.0, 4.0, 9.0], np.float32))
    assert found.rows.tolist() == [2, 1]
    assert found.scores.tolist() == [1.5, 1.0]


@pytest.mark.parametrize("rows", [[], [2]])
def test_seeds_without_neighbours_find_nothing(rows: list[int]) -> None:
    neighbours = Neighbours(np.array([0, 1, 1, 1]), np.array([1], np.int32), np.array([1.0], np.float32))
    assert len(neighbours.of_many(np.array(rows, np.int32), np.ones(len(rows), np.float32)).rows) == 0
