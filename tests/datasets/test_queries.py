"""Queries have the targets that a plain loop over the events finds."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from pathlib import Path

import pytest
from tests.datasets.worlds import START, clustered_events, make_lake, settings_for

from remora.datasets.queries import QUERIES, queries, sampled, schema_with, without_targets
from remora.datasets.splits import Window
from remora.settings import ObjectiveSettings

pytestmark = pytest.mark.usefixtures("ray_cluster")

WINDOW = Window(START + timedelta(days=20), START + timedelta(days=40))


@pytest.mark.parametrize("hide", [True, False])
def test_targets_are_what_a_loop_over_the_events_finds(home_folder: Path, hide: bool) -> None:
    events = clustered_events(users=25, items=60, clusters=2, days=60, per_user=25, seed=3)
    events += [(u, i, "like", t + timedelta(days=3)) for u, i, _, t in events[::7]]  # the same item again
    settings = settings_for(
        home_folder,
        evaluation={"events_between_queries": 2, "queries_per_user": 50, "horizon_days": 5.0},
        surfaces={"home_feed": {"hide_seen": hide}},
    )
    found = queries(settings, make_lake(home_folder, events), WINDOW)
    assert found.schema.equals(QUERIES)

    expected = _by_loop(events, every=2, horizon=timedelta(days=5), hide=hide)
    answered = {key: value for key, value in expected.items() if value[0]}
    rows = {(r["user_id"], r["instant"]): r for r in found.to_pylist()}
    assert rows.keys() == answered.keys()
    assert without_targets(found) == len(expected) - len(answered)
    for key, (targets, history) in answered.items():
        assert dict(zip(rows[key]["targets"], rows[key]["weights"], strict=True)) == targets
        assert rows[key]["history_events"] == history


def _by_loop(events, *, every, horizon, hide):  # type: ignore[no-untyped-def]
    weights = {"like": 1.0, "view": 0.5}
    of_user = defaultdict(list)
    for user, item, kind, at in events:
        of_user[user].append((at, item, kind))
    found = {}
    for user, own in of_user.items():
        own = sorted((e for e in own if e[0] < WINDOW.end), key=lambda e: e[0])
        for at, _, _ in [e for e in own if e[0] >= WINDOW.start][::every]:
            seen = {item for when, item, _ in own if when < at and hide}
            targets: dict[str, float] = {}
            for when, item, kind in own:
                if at <= when < at + horizon and kind in weights and item not in seen:
                    targets[item] = max(targets.get(item, 0), weights[kind])
            found[user, at] = (targets, sum(when < at and kind in weights for when, _, kind in own))
    return found


@pytest.mark.parametrize("hide", [True, False])
def test_outcomes_are_what_a_loop_finds_for_each_objective(home_folder: Path, hide: bool) -> None:
    events = clustered_events(users=20, items=40, clusters=2, days=60, per_user=18, seed=4)
    events += [(u, i, "like", t + timedelta(days=2)) for u, i, _, t in events[::3]]
    objectives = {
        "engaged": ObjectiveSettings(events=("like", "view", "dislike")),
        "again": ObjectiveSettings(events=("like", "view"), label="repeats"),
        "worth": ObjectiveSettings(events=("like",), label="value"),
    }
    values = {n: float(n % 5) for n in range(len(events))}
    settings = settings_for(
        home_folder,
        evaluation={"events_between_queries": 2, "queries_per_user": 50, "horizon_days": 5.0},
        surfaces={"home_feed": {"hide_seen": hide}},
    )
    lake = make_lake(home_folder, events, more={"value": [values[n] for n in range(len(events))]})
    found = queries(settings, lake, WINDOW, objectives=objectives, include_unlabelled=True)
    assert found.schema.equals(schema_with(objectives))
    answered = queries(settings, lake, WINDOW)
    assert len(found) == len(answered) + without_targets(answered)

    seen_some = 0
    for row in found.to_pylist():
        own = [(t, i, k, values[n]) for n, (u, i, k, t) in enumerate(events) if u == row["user_id"] and t < WINDOW.end]
        seen = {i for t, i, *_ in own if t < row["instant"] and hide}
        after = [e for e in own if row["instant"] <= e[0] < row["instant"] + timedelta(days=5) and e[1] not in seen]
        expected = {}
        for item in sorted({i for _, i, *_ in after}):
            of_item = [e for e in after if e[1] == item]
            labels = (
                1.0,
                float(len({t for t, _, k, _ in of_item if k != "dislike"}) >= 2),
                sum(v for _, _, k, v in of_item if k == "like"),
            )
            expected[item] = labels
        columns = zip(*(row[f"label:{name}"] for name in objectives), strict=True)
        assert dict(zip(row["outcomes"], columns, strict=True)) == expected
        seen_some += any(labels[1] for labels in expected.values())
    assert seen_some > 5


def test_a_user_is_asked_about_at_most_so_often_spread_over_the_window(home_folder: Path) -> None:
    events = [("u", f"i{n}", "like", START + timedelta(hours=n)) for n in range(24 * 50)]
    settings = settings_for(home_folder, evaluation={"events_between_queries": 10, "queries_per_user": 4})
    found = queries(settings, make_lake(home_folder, events), WINDOW)
    hours = [(t - WINDOW.start) / timedelta(hours=1) for t in found["instant"].to_pylist()]
    assert len(hours) == 4
    assert all(120 * n <= hour < 120 * (n + 1) for n, hour in enumerate(hours))


def test_of_many_queries_some_are_drawn_in_their_order(home_folder: Path) -> None:
    events = clustered_events(users=25, items=60, clusters=2, days=60, per_user=25, seed=3)
    every = queries(settings_for(home_folder), make_lake(home_folder, events), WINDOW)
    some = sampled(every, 10, seed=1)
    places = [every["query_id"].to_pylist().index(one) for one in some["query_id"].to_pylist()]
    assert len(set(places)) == 10
    assert places == sorted(places)
    assert some.equals(sampled(every, 10, seed=1))
    assert not some.equals(sampled(every, 10, seed=2))
    assert without_targets(some) == without_targets(every)
    assert sampled(every, len(every), seed=1) is every


def test_a_window_in_which_nothing_happens_has_no_queries(home_folder: Path) -> None:
    lake = make_lake(home_folder, [("u", "i", "like", START), ("u", "j", "like", START + timedelta(days=50))])
    found = queries(settings_for(home_folder), lake, WINDOW)
    assert found.num_rows == 0
    assert found.schema.equals(QUERIES)
