"""Nothing in the ranker's rows, candidates and features alike, knows what happened after the window they are of."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from tests.datasets.worlds import clustered_events, clustered_items, make_lake, settings_for, some_users
from tests.training.test_no_future import versions

from remora.core.artifacts import Artifact
from remora.datasets.splits import TimeSplit, time_split
from remora.features.build import build
from remora.features.store import apply
from remora.ingest.lake import Lake
from remora.settings import Settings
from remora.training import retrieval
from remora.training.ranking_examples import ExampleBuilder

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("ray_cluster")]

USERS, ITEMS = 60, 48


def test_the_rankers_rows_are_the_same_with_and_without_what_came_later(home_folder: Path) -> None:
    settings = settings_for(
        home_folder,
        features={"partitions": 2},
        retrieval={"epochs": 1, "dimension": 8, "workers": 1, "validation_user_fraction": 0.1},
        evaluation={"events_between_queries": 2, "queries_per_user": 3, "max_snapshots": 8},
    )
    events = clustered_events(users=USERS, items=ITEMS, clusters=2, days=80, per_user=20)
    whole = make_lake(home_folder, events, items=clustered_items(ITEMS, 2), users=some_users(USERS), version="all")
    split, towers = time_split(settings, whole), retrieval.train(settings)
    end = split.ranking.end
    past = [event for event in events if event[3] < end]
    planted = [(u, f"i{(int(i[1:]) + 1) % ITEMS:03d}", "like", end + timedelta(hours=1)) for u, i, _, _ in events]

    without = _rows(settings, split, towers, _lake(settings, split, past, ("first",)))
    with_future = _rows(settings, split, towers, _lake(settings, split, past + planted, ("first", "later")))

    assert len(without) > 500
    assert with_future.column_names == without.column_names
    for name in without.column_names:
        assert str(with_future[name].to_pylist()) == str(without[name].to_pylist()), name  # nan is nan


def _lake(settings: Settings, split: TimeSplit, events: list, which: tuple[str, ...]) -> Lake:
    """A lake of these events; users and items change their columns right after the window when ``later`` is asked."""
    after = split.ranking.end + timedelta(seconds=1)
    return make_lake(
        Path(settings.home),
        events,
        items=versions(clustered_items(ITEMS, 2), "year", after, which),
        users=versions(some_users(USERS), "age", after, which),
        version="-".join(which),
    )


def _rows(settings: Settings, split: TimeSplit, towers: Artifact, lake: Lake) -> pa.Table:
    """The rows of the ranking window, with features built from this lake alone."""
    build(settings)
    apply(settings)
    past = ExampleBuilder(settings=settings, lake=lake, retrieval=towers)
    return past.slates(split.ranking, negatives=20, most=200).rows.combine_chunks()
