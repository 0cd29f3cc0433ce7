"""Impressions joined with what followed, against a search event by event."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.datasets.worlds import START, make_lake, settings_for

from remora.core.errors import DataError
from remora.datasets.logged_slates import logged_slates
from remora.datasets.splits import Window
from remora.ingest.lake import Lake
from remora.settings import ObjectiveSettings, Settings

pytestmark = pytest.mark.usefixtures("ray_cluster")

HOUR = timedelta(hours=1)
WINDOW = Window(START + 48 * HOUR, START + 200 * HOUR)
OBJECTIVES = {
    "liked": ObjectiveSettings(events=("like",)),
    "wanted": ObjectiveSettings(events=("like", "view")),
    "worth": ObjectiveSettings(events=("like",), label="value"),
}
Row = tuple[str, str, str, datetime, str | None, int | None, float | None]
"""user, item, type, time, request, position, value."""


def shop(folder: Path, **sections: Any) -> Settings:
    """With impressions, and three hours in which what follows belongs to a slate."""
    data = settings_for(folder).data.model_dump()
    data |= {"event_types": data["event_types"] | {"shown": {"weight": 0.0, "sign": 0}}, "impression": "shown"}
    return settings_for(folder, **{"data": data, "evaluation": {"horizon_days": 3 / 24}} | sections)


def lake_of(folder: Path, rows: list[Row]) -> Lake:
    columns = dict(zip(("request_id", "position", "value"), zip(*(r[4:] for r in rows), strict=True), strict=True))
    return make_lake(folder, [r[:4] for r in rows], more=columns, impression="shown")


def slate(user: str, request: str, at: datetime, items: list[str]) -> list[Row]:
    """Items in order of position, written in the order of their names."""
    places = {item: place for place, item in enumerate(items, 1)}
    return [(user, item, "shown", at, request, places[item], None) for item in sorted(items)]


def some_rows(seed: int) -> list[Row]:
    """Many slates of few items to few users, and many acts, some of which name a slate (a wrong one now and then)."""
    draw = np.random.default_rng(seed)
    rows: list[Row] = []
    for number in range(60):
        at = START + float(draw.integers(0, 220)) * HOUR + number * HOUR / 60  # no two at once
        items = [f"i{n}" for n in draw.permutation(8)[: draw.integers(1, 6)]]
        rows += slate(f"u{draw.integers(4)}", f"r{number}", at, items)
    for _ in range(400):
        named = f"r{draw.integers(60)}" if draw.random() < 0.4 else None
        kind = str(draw.choice(["like", "view", "dislike"]))
        at = START + float(draw.integers(0, 4 * 220)) * HOUR / 4
        rows.append((f"u{draw.integers(4)}", f"i{draw.integers(8)}", kind, at, named, None, float(draw.integers(1, 9))))
    return rows


def reference(rows: list[Row]) -> dict[str, tuple[datetime, list[str], dict[str, dict[str, float]], int]]:
    """By query: its instant, what was shown, the labels above 0 by objective and item, and the events before."""
    slates: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        if row[2] == "shown":
            slates.setdefault((row[0], str(row[4])), []).append(row)
    at = {key: min(r[3] for r in shown) for key, shown in slates.items()}
    slates = {key: shown for key, shown in slates.items() if WINDOW.start <= at[key] < WINDOW.end}
    owned: dict[tuple[str, str], list[Row]] = {key: [] for key in slates}
    acts = [row for row in rows if row[2] != "shown"]
    for act in acts:
        showing = [key for key, shown in slates.items() if key[0] == act[0] and act[1] in {r[1] for r in shown}]
        named = (act[0], str(act[4]))
        before = [key for key in showing if at[key] <= act[3]]
        owner = named if named in showing else max(before, key=lambda key: at[key], default=None)
        if owner is not None and at[owner] <= act[3] < min(at[owner] + 3 * HOUR, WINDOW.end):
            owned[owner].append(act)
    found = {}
    for (user, request), shown in slates.items():
        mine = owned[user, request]
        likes = [a for a in mine if a[2] == "like"]
        labels = {
            "liked": {a[1]: 1.0 for a in likes},
            "wanted": {a[1]: 1.0 for a in mine if a[2] in ("like", "view")},
            "worth": {a[1]: sum(float(b[6] or 0) for b in likes if b[1] == a[1]) for a in likes},
        }
        order = [r[1] for r in sorted(shown, key=lambda r: r[5] or 0)]
        earlier = [a for a in acts if a[0] == user and a[2] in ("like", "view") and a[3] < at[user, request]]
        found[f"{user}@{request}"] = (at[user, request], order, labels, len(earlier))
    return found


@pytest.mark.parametrize("seed", [1, 2])
def test_it_is_what_a_search_event_by_event_finds(home_folder: Path, seed: int) -> None:
    rows = some_rows(seed)
    settings, lake = shop(home_folder), lake_of(home_folder, rows)
    found = logged_slates(settings, lake, WINDOW, objectives=OBJECTIVES, include_unlabelled=True).to_pylist()
    expected = reference(rows)
    assert [q["instant"] for q in found] == sorted(q["instant"] for q in found)
    assert {q["query_id"] for q in found} == set(expected)
    for query in found:
        instant, shown, labels, earlier = expected[query["query_id"]]
        assert (query["instant"], query["shown"], query["history_events"]) == (instant, shown, earlier)
        for name, of in labels.items():
            said = dict(zip(query["outcomes"], query[f"label:{name}"], strict=True))
            assert {item: label for item, label in said.items() if label} == of, (query["query_id"], name)
    answered = logged_slates(settings, lake, WINDOW, objectives=OBJECTIVES)
    assert set(answered["query_id"].to_pylist()) == {name for name, (_, _, of, _) in expected.items() if of["wanted"]}


def test_what_was_shown_is_no_act_of_the_user(home_folder: Path) -> None:
    rows: list[Row] = [("u", "a", "like", START, None, None, 1.0), *slate("u", "r", START + HOUR, ["b", "c"])]
    lake = lake_of(home_folder, rows)
    assert [e["item_id"] for e in lake.events().take_all()] == ["a"]
    assert {e["item_id"] for e in lake.impressions().take_all()} == {"b", "c"}
    assert not make_lake(home_folder, [r[:4] for r in rows], version="plain").impressions().take_all()


def test_events_without_requests_are_refused(home_folder: Path) -> None:
    lake = make_lake(home_folder, [("u", "a", "like", START)])
    with pytest.raises(DataError, match="events have no position and no request_id"):
        logged_slates(shop(home_folder), lake, WINDOW, objectives={"liked": OBJECTIVES["liked"]})


def test_settings_name_the_impression(home_folder: Path) -> None:
    with pytest.raises(ValueError, match=r"name the event type of what was shown as data\.impression"):
        settings_for(home_folder, ranking={"candidates": "logged"})
    data = settings_for(home_folder).data.model_dump()
    with pytest.raises(ValueError, match=r"impression is 'like', which event_types must declare with sign 0"):
        settings_for(home_folder, data=data | {"impression": "like"})
