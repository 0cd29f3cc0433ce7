"""Time is cut in four, deterministically, where the data allows at midnight."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from tests.datasets.worlds import START, clustered_events, make_lake, settings_for

from remora.core.errors import DataError
from remora.datasets.splits import time_split

pytestmark = pytest.mark.usefixtures("ray_cluster")


def test_many_days_are_cut_at_the_midnights_nearest_to_the_shares(home_folder: Path) -> None:
    events = [("u", f"i{d}", "like", START + timedelta(days=d, hours=5)) for d in range(100)]
    split = time_split(settings_for(home_folder), make_lake(home_folder, events))
    assert split.retrieval_end == START + timedelta(days=65)
    assert split.ranking_end == START + timedelta(days=80)
    assert split.validation_end == START + timedelta(days=88)
    assert split.end == START + timedelta(days=100)


def test_few_days_are_cut_at_the_second_the_share_is_reached(home_folder: Path) -> None:
    events = [("u", f"i{n}", "like", START + timedelta(minutes=n)) for n in range(200)]
    split = time_split(settings_for(home_folder), make_lake(home_folder, events))
    assert split.retrieval_end == START + timedelta(minutes=129, seconds=1)
    assert sum(t < split.ranking_end for *_, t in events) == 160


def test_windows_touch_and_hold_every_event_once(home_folder: Path) -> None:
    events = clustered_events(users=30, items=20, clusters=2, days=60, per_user=10)
    split = time_split(settings_for(home_folder), make_lake(home_folder, events))
    windows = (split.retrieval, split.ranking, split.validation, split.test)
    assert all(sum(w.start <= t < w.end for w in windows) == 1 for *_, t in events)


def test_events_that_cannot_be_cut_are_refused_with_the_reason(home_folder: Path) -> None:
    lake = make_lake(home_folder, [(f"u{n}", "i", "like", START) for n in range(10)])
    with pytest.raises(DataError, match="cuts coincide"):
        time_split(settings_for(home_folder), lake)
