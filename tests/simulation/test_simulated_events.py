"""Events keep Remora's contract, are delivered as the settings say, and have the faults that were planted alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.simulation.worlds import events_of_days, small

from remora.events.contract import EventContract
from remora.simulation.simulated_events import as_json
from remora.simulation.world_settings import PlantedFault

CONTRACT = EventContract(
    event_types=frozenset({"click", "impression", "purchase"}),
    earliest=datetime(1990, 1, 1, tzinfo=UTC),
    skew=timedelta(minutes=5),
)
TYPES = {"conversion": "purchase", "impression": "impression"}


@given(
    seed=st.integers(0, 1_000),
    model=st.sampled_from(["pbm", "cascade"]),
    twice=st.floats(0, 1),
    late=st.floats(0, 1),
)
@settings(max_examples=15)
def test_every_event_keeps_the_contract_when_it_is_delivered(seed: int, model: str, twice: float, late: float) -> None:
    world = small(seed=seed, click_model=model, duplicate_fraction=twice, late_fraction=late, bot_fraction=0.1)
    rows = events_of_days(world, 2, **TYPES)
    for raw, known in zip(as_json(rows), rows["known_timestamp"].to_list(), strict=True):
        accepted = CONTRACT.accept(raw, known)
        assert accepted["event_id"] == raw["event_id"]
        assert accepted["position"] >= 1


def test_equal_seeds_make_equal_events() -> None:
    one, two = (events_of_days(small(duplicate_fraction=0.1, late_fraction=0.1), 3, **TYPES) for _ in range(2))
    assert one.equals(two)


def test_a_duplicate_is_the_same_event_under_the_same_id() -> None:
    rows = events_of_days(small(duplicate_fraction=0.3), 10, **TYPES)
    same = rows.drop("known_timestamp")
    assert same.unique().height == rows["event_id"].n_unique()
    assert 1 - rows["event_id"].n_unique() / rows.height == pytest.approx(0.3 / 1.3, abs=0.03)


def test_as_many_events_are_late_as_configured() -> None:
    rows = events_of_days(small(late_fraction=0.25, late_hours=5.0), 10, **TYPES)
    lateness = (rows["known_timestamp"] - rows["event_timestamp"]).dt.total_seconds().to_numpy() / 3600
    assert (lateness > 0).mean() == pytest.approx(0.25, abs=0.03)
    assert lateness[lateness > 0].mean() == pytest.approx(5.0, rel=0.15)


def test_a_conversion_follows_its_click_after_a_delay() -> None:
    rows = events_of_days(
        small(conversion_hours=6.0, conversion_bias=1.0, visits_per_day=2.0), 20, conversion="purchase"
    )
    place = ["request_id", "position", "item_id"]
    clicks, converted = (rows.filter(pl.col("event_type") == kind) for kind in ("click", "purchase"))
    both = converted.join(clicks, on=place, suffix="_click")
    assert both.height == converted.height > 200
    delay = (both["event_timestamp"] - both["event_timestamp_click"]).dt.total_seconds().to_numpy() / 3600
    assert delay.min() >= 0
    assert delay.mean() == pytest.approx(6.0, rel=0.2)
    assert converted["value"].min() > 0
    assert clicks["value"].null_count() == clicks.height


def test_an_event_names_the_slate_and_the_place_that_its_item_had() -> None:
    rows = events_of_days(small(), 5, **TYPES)
    shown = rows.filter(pl.col("event_type") == "impression").select("request_id", "position", "item_id", "user_id")
    others = rows.filter(pl.col("event_type") != "impression")
    assert others.join(shown, on=shown.columns).height == others.height > 0
    assert rows["propensity"].is_between(0, 1).all()


def test_a_fault_that_has_not_begun_changes_nothing() -> None:
    later_on = PlantedFault(kind="time", from_day=100.0)
    plain, planted = (events_of_days(small(faults=faults), 4, **TYPES) for faults in ((), (later_on,)))
    assert plain.equals(planted)


def with_fault(kind: str, fraction: float = 1.0) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Events without and with a fault from the third day on."""
    planted = (PlantedFault(kind=kind, from_day=2.0, fraction=fraction),)
    plain, faulty = (
        events_of_days(small(faults=f, visits_per_day=2.0), 4, conversion="purchase") for f in ((), planted)
    )
    return plain, faulty


def later(rows: pl.DataFrame) -> pl.Series:
    return rows["event_timestamp"] >= datetime(2026, 1, 7, tzinfo=UTC)


def test_a_fault_of_a_column_loses_its_values_from_its_day_on() -> None:
    _, rows = with_fault("column")
    bought = rows.filter(pl.col("event_type") == "purchase")
    assert bought["value"].is_null().to_list() == later(bought).to_list()
    assert 0 < later(bought).sum() < bought.height


def test_a_fault_of_time_moves_its_share_an_hour_ahead() -> None:
    plain, rows = with_fault("time", fraction=0.5)
    moved = rows.join(plain, on="event_id", suffix="_plain")
    ahead = (moved["event_timestamp"] - moved["event_timestamp_plain"]).dt.total_seconds()
    assert set(ahead) == {0, 3600}
    assert not (ahead.to_numpy() > 0)[
        ~(moved["event_timestamp_plain"] >= datetime(2026, 1, 7, tzinfo=UTC)).to_numpy()
    ].any()
    assert np.mean(ahead.filter(later(moved)).to_numpy() > 0) == pytest.approx(0.5, abs=0.1)


def test_a_fault_of_duplicates_hides_them_behind_other_ids() -> None:
    plain, rows = with_fault("duplicate")
    assert rows["event_id"].is_unique().all()
    assert rows.height == plain.height + later(plain).sum()
    assert rows.unique(["request_id", "position", "event_type"]).height == plain.height
