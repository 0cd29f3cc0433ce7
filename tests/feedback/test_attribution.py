"""Events and the exposures that they belong to, against a search event by event; and spans that add up to the whole."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remora.feedback.attribution import (
    BEFORE,
    LATE,
    NOT_EXPOSED,
    ORPHAN,
    OTHER_REQUEST,
    AttributionRule,
    attribute,
    close,
)

START = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
EXPOSURE = {
    "user_id": pl.String, "item_id": pl.String, "request_id": pl.String, "exposed_at": pl.Datetime("us", "UTC"),
    "bundle": pl.String,
}  # fmt: skip
EVENT = {
    "event_id": pl.String, "user_id": pl.String, "item_id": pl.String, "event_type": pl.String,
    "event_timestamp": pl.Datetime("us", "UTC"), "known_timestamp": pl.Datetime("us", "UTC"), "request_id": pl.String,
}  # fmt: skip
RULES = st.builds(
    AttributionRule,
    horizon=st.integers(1, 9).map(lambda hours: hours * HOUR),
    horizons=st.sampled_from([{}, {"buy": 5 * HOUR}]),
    exposure=st.sampled_from(["first", "last"]),
    by=st.sampled_from(["request", "request_or_item"]),
)


@st.composite
def worlds(draw: st.DrawFn) -> tuple[pl.DataFrame, pl.DataFrame]:
    """A few users, items and requests; half of the events name a request, some a wrong one."""
    slates = draw(
        st.lists(st.tuples(st.integers(0, 1), st.sets(st.integers(0, 3), min_size=1), st.integers(0, 20)), max_size=8)
    )
    shown = [
        (f"u{user}", f"i{item}", f"r{number}", START + hours * HOUR, f"b{number % 2}")
        for number, (user, items, hours) in enumerate(slates)
        for item in sorted(items)
    ]
    acts = draw(
        st.lists(
            st.tuples(
                st.integers(0, 1), st.integers(0, 3), st.sampled_from(["buy", "like"]), st.integers(0, 40),
                st.integers(0, 30), st.none() | st.integers(0, 9),
            ),
            max_size=20,
        )
    )  # fmt: skip
    events = [
        (f"e{n}", f"u{user}", f"i{item}", kind, at := START + half * HOUR / 2, at + late * HOUR,
         None if named is None else f"r{named}")
        for n, (user, item, kind, half, late, named) in enumerate(acts)
    ]  # fmt: skip
    return pl.DataFrame(shown, EXPOSURE, orient="row"), pl.DataFrame(events, EVENT, orient="row")


def owner(event: dict[str, Any], exposures: list[dict[str, Any]], rule: AttributionRule) -> dict[str, Any] | str:
    """The exposure, or why there is none: by looking at each."""
    alike = [e for e in exposures if (e["user_id"], e["item_id"]) == (event["user_id"], event["item_id"])]
    alike.sort(key=lambda e: (e["exposed_at"], e["request_id"]))
    horizon, at = rule.horizons.get(event["event_type"], rule.horizon), event["event_timestamp"]
    named = [e for e in alike if e["request_id"] == event["request_id"]]
    if not named and rule.by == "request":
        return OTHER_REQUEST
    if not named and not alike:
        return OTHER_REQUEST if event["request_id"] else NOT_EXPOSED
    before = [e for e in alike if e["exposed_at"] <= at]
    within = [e for e in before if at < e["exposed_at"] + horizon]
    meant = named or (within[:1] if rule.exposure == "first" and within else before[-1:]) or alike[:1]
    if meant[0]["exposed_at"] > at:
        return BEFORE
    return meant[0] if at < meant[0]["exposed_at"] + horizon else LATE


@given(worlds(), RULES)
def test_each_event_belongs_to_what_a_search_finds(
    world: tuple[pl.DataFrame, pl.DataFrame], rule: AttributionRule
) -> None:
    exposures, events = world
    found = attribute(exposures, events, rule)
    assert found["event_id"].to_list() == events["event_id"].to_list()
    for row, event in zip(found.to_dicts(), events.to_dicts(), strict=True):
        expected = owner(event, exposures.to_dicts(), rule)
        if isinstance(expected, str):
            assert (row[ORPHAN], row["request_id"], row["bundle"], row["exposed_at"]) == (expected, None, None, None)
        else:
            assert row[ORPHAN] is None
            assert {name: row[name] for name in ("request_id", "exposed_at", "bundle")} == {
                name: expected[name] for name in ("request_id", "exposed_at", "bundle")
            }


@given(worlds(), RULES, st.lists(st.integers(0, 90), max_size=5), st.integers(0, 5))
def test_spans_together_close_what_one_span_closes(
    world: tuple[pl.DataFrame, pl.DataFrame], rule: AttributionRule, cuts: list[int], late: int
) -> None:
    exposures, events = world
    ends = sorted({*(START + hours * HOUR for hours in cuts), START + 100 * HOUR})
    whole = close(exposures, events, rule, lateness=late * HOUR, after=None, until=ends[-1])
    spans = [
        close(exposures, events, rule, lateness=late * HOUR, after=after, until=until)
        for after, until in zip([None, *ends], ends, strict=False)
    ]
    for part in ("exposures", "events", "corrections"):
        together = pl.concat([getattr(span, part) for span in spans])
        assert sorted(together.rows()) == sorted(getattr(whole, part).rows()), part
    assert len(whole.exposures) == len(exposures)
    owned = attribute(exposures, events, rule).filter(pl.col(ORPHAN).is_null())
    assert len(whole.events) + len(whole.corrections) == len(owned)


def test_the_order_of_rows_makes_no_difference() -> None:
    exposures, events = worlds_of_size()
    found = attribute(exposures, events, AttributionRule(horizon=6 * HOUR)).sort("event_id")
    for seed in (1, 2):
        mixed = attribute(
            exposures.sample(fraction=1, shuffle=True, seed=seed), events.sample(fraction=1, shuffle=True, seed=seed),
            AttributionRule(horizon=6 * HOUR),
        ).sort("event_id")  # fmt: skip
        assert mixed.equals(found)


def worlds_of_size(count: int = 300) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Many of both."""
    shown = [
        (f"u{n % 7}", f"i{(n * k) % 11}", f"r{n}", START + (n * 37 % 200) * HOUR, "b")
        for n in range(count)
        for k in (1, 2)
    ]
    acts = [
        (f"e{n}", f"u{n % 7}", f"i{n % 11}", "buy", START + (n * 53 % 210) * HOUR, None, f"r{n}" if n % 3 else None)
        for n in range(count)
    ]
    exposures = pl.DataFrame(shown, EXPOSURE, orient="row").unique(["user_id", "item_id", "request_id"], keep="first")
    return exposures, pl.DataFrame(acts, EVENT, orient="row")


def test_without_exposures_or_events_there_is_nothing() -> None:
    exposures, events = worlds_of_size(5)
    rule = AttributionRule(horizon=HOUR)
    assert attribute(exposures.clear(), events, rule)[ORPHAN].is_not_null().all()
    assert attribute(exposures, events.clear(), rule).is_empty()


@pytest.mark.parametrize("carried", ["bundle", "event_type"])
def test_a_column_of_both_is_the_events(carried: str) -> None:
    exposures, events = worlds_of_size(20)
    own = events.with_columns(pl.lit("own").alias(carried))
    found = attribute(exposures.with_columns(pl.lit("shown").alias(carried)), own, AttributionRule(horizon=200 * HOUR))
    assert set(found[carried]) == {"own"}
