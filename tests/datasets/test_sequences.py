"""Examples hold what a loop over each user's events finds, and nothing from after the event."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from tests.datasets.worlds import START, clustered_events, make_lake, settings_for, some_users

from remora.core.tables import TIMESTAMP
from remora.datasets.sequences import sequences
from remora.ingest.lake import Lake
from remora.settings import Settings

pytestmark = pytest.mark.usefixtures("ray_cluster")

BEFORE = START + timedelta(days=30)
LENGTH = 4


def rows_of(settings: Settings, lake: Lake) -> list[dict]:
    found = sequences(settings, lake, lake.vocabulary(), before=BEFORE)
    table = pa.concat_tables(found.iter_batches(batch_format="pyarrow", batch_size=None))
    return pl.DataFrame(pl.from_arrow(table)).sort("user_id", "target", "history").to_dicts()


def test_histories_and_targets_are_what_a_loop_finds(home_folder: Path) -> None:
    events = clustered_events(users=20, items=30, clusters=2, days=50, per_user=14, seed=5)
    events += [(u, f"i{(int(i[1:]) + 7) % 30:03d}", "like", t) for u, i, _, t in events[::5]]  # at the same instant
    settings = settings_for(home_folder, features={"history_length": LENGTH, "partitions": 3})
    lake = make_lake(home_folder, events, users=some_users(20))
    vocabulary, weight = lake.vocabulary(), {"like": 1.0, "view": 0.5}

    expected = []
    for user in sorted({e[0] for e in events}):
        own = [e for e in sorted(events, key=lambda e: e[3]) if e[0] == user and e[3] < BEFORE]
        wanted = [e for e in own if e[2] in weight]
        for place, event in enumerate(own):
            if event[2] not in weight or event[1] in [e[1] for e in own[:place]]:
                continue
            past = [vocabulary.row(e[1]) for e in wanted if e[3] < event[3]][-LENGTH:]
            history = [-1] * (LENGTH - len(past)) + past
            expected.append((user, vocabulary.row(event[1]), history, weight[event[2]], 20 + int(user[1:]) % 40))
    found = [
        (r["user_id"], r["target"], r["history"], r["weight"], r["user_profile__age"]) for r in rows_of(settings, lake)
    ]
    assert found == sorted(expected, key=lambda r: (r[0], r[1], r[2]))


def test_what_comes_later_changes_no_example_and_profiles_are_those_of_the_time(home_folder: Path) -> None:
    events = clustered_events(users=12, items=20, clusters=2, days=29, per_user=8)
    later = [(u, i, "like", t + timedelta(days=40)) for u, i, _, t in events]
    versions = pa.table(
        {
            "user_id": ["u0", "u0"],
            "age": pa.array([20, 99], pa.int64()),
            "gender": ["F", "M"],
            "event_timestamp": pa.array([START, BEFORE + timedelta(days=1)], TIMESTAMP),
        }
    )
    settings = settings_for(home_folder)
    without = rows_of(settings, make_lake(home_folder, events, users=versions.slice(0, 1), version="past"))
    with_future = rows_of(settings, make_lake(home_folder, events + later, users=versions, version="future"))
    assert without == with_future
    assert {r["user_profile__age"] for r in without if r["user_id"] == "u0"} == {20}
