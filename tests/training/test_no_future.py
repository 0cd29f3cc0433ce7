"""Nothing that the towers are made from knows what happened after the first cut."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from tests.datasets.worlds import clustered_events, clustered_items, make_lake, settings_for, some_users

from remora.core.tables import TIMESTAMP
from remora.datasets.splits import TimeSplit, time_split
from remora.settings import Settings
from remora.training.retrieval_inputs import prepare
from remora.training.two_tower import Inputs

pytestmark = pytest.mark.usefixtures("ray_cluster")

USERS, ITEMS = 30, 24


def test_the_towers_inputs_are_the_same_with_and_without_what_came_later(home_folder: Path) -> None:
    settings = settings_for(home_folder, features={"partitions": 2}, retrieval={"validation_user_fraction": 0.1})
    events = clustered_events(users=USERS, items=ITEMS, clusters=2, days=60, per_user=10)
    split = time_split(settings, make_lake(home_folder, events, version="all"))
    past = [e for e in events if e[3] < split.retrieval_end]
    planted = [(u, f"i{(int(i[1:]) + 1) % ITEMS:03d}", "like", split.retrieval_end) for u, i, _, _ in events]

    without, examples = _made(settings, split, past, ("first",))
    with_future, same = _made(settings, split, past + planted, ("first", "later"))

    assert with_future.spec.to_json() == without.spec.to_json()
    for name in ("identity", "share", "drawable"):
        np.testing.assert_array_equal(getattr(with_future, name), getattr(without, name))
    for name in ("tags", "words", "numbers"):
        np.testing.assert_array_equal(getattr(with_future.content, name), getattr(without.content, name))
    assert with_future.held_out.equals(without.held_out)
    assert same.equals(examples)


def _made(settings: Settings, split: TimeSplit, events: list, which: tuple[str, ...]) -> tuple[Inputs, pa.Table]:
    """The inputs from these events, and users and items in these versions; `later` ones are valid from the cut on."""
    items, users, after = clustered_items(ITEMS, 2), some_users(USERS), split.retrieval_end + timedelta(seconds=1)
    lake = make_lake(
        Path(settings.home),
        events,
        items=versions(items, "year", after, which),
        users=versions(users, "age", after, which),
        version="-".join(which),
    )
    inputs, examples = prepare(settings, lake, lake.vocabulary(), split)
    return inputs, pa.concat_tables(examples.iter_batches(batch_format="pyarrow", batch_size=None))


def versions(table: pa.Table, column: str, after: datetime, which: tuple[str, ...]) -> pa.Table:
    """The table as it is first, and as it is from ``after`` on (`later`) with another value in one column."""
    first = table.append_column("event_timestamp", pa.nulls(len(table), TIMESTAMP))
    valid = pa.array([after] * len(table), TIMESTAMP)
    changed = pc.add(table[column], 1000)
    later = table.set_column(table.column_names.index(column), column, changed).append_column("event_timestamp", valid)
    return pa.concat_tables([{"first": first, "later": later}[one] for one in which])
