"""When retrieval finds no positive item, the advice is the one that helps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from tests.datasets.worlds import settings_for

from remora.core.tables import TIMESTAMP
from remora.datasets.splits import Window
from remora.training.unfound import why_unfound, without_target

START = datetime(2024, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("since", "said"),
    [
        ([9, 9, 9], "4 of the 4 positive items were not in the catalogue yet"),
        ([0, 9, 9], "3 of the 4 positive items were not in the catalogue yet"),
        ([0, 0, 9], "Raise the sources' limits"),
        ([None, None, None], "Raise the sources' limits"),
    ],
)
def test_items_that_are_newer_than_the_queries_are_distinguished_from_a_limit_that_is_too_low(
    since: list[int | None], said: str
) -> None:
    asked = pa.table({"instant": [START + timedelta(days=1)] * 3, "outcomes": [["a", "b"], ["b", "c"], []]})
    times = [None if day is None else START + timedelta(days=day) for day in since]
    items = pa.table({"item_id": ["a", "b", "c"], "event_timestamp": pa.array(times, TIMESTAMP)})
    assert said in why_unfound(asked, items)


def test_an_item_that_always_was_there_has_no_later_beginning() -> None:
    asked = pa.table({"instant": [START], "outcomes": [["a"]]})
    items = pa.table({"item_id": ["a", "a"], "event_timestamp": pa.array([None, START + timedelta(days=9)], TIMESTAMP)})
    assert "limits" in why_unfound(asked, items)


@pytest.mark.parametrize("hidden", [True, False])
def test_without_a_target_the_setting_that_hides_repeats_is_named_where_it_is_the_reason(
    tmp_path: Path, hidden: bool
) -> None:
    settings = settings_for(tmp_path, surfaces={"home_feed": {"hide_seen": hidden}})
    said = without_target(settings, Window(START, START + timedelta(days=9)))
    assert "No query between 2024-01-01 00:00:00+00:00 and 2024-01-10 00:00:00+00:00 has a target" in said
    assert ("set surfaces.home_feed.hide_seen to false" in said) == hidden
