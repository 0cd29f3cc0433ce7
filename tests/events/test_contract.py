"""An event that is sent is judged as the ingest would judge it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remora.core.tables import EVENTS, EVENTS_OPTIONAL
from remora.events.contract import EventContract, Unacceptable
from remora.ingest.contract import REASON, RowValidator
from remora.ingest.files import ORDER, UNREADABLE
from remora.ingest.schema import SOURCE_ROW
from remora.settings import DataSettings, SourceSettings

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
NAMES = ("event_id", "user_id", "item_id", "event_type", "event_timestamp")
OPTIONAL = ("value", "position")
SOURCE = SourceSettings(path="sent", format="parquet", columns={name: name for name in (*NAMES, *OPTIONAL)})
DATA = DataSettings.model_validate(
    {
        "events": [SOURCE.model_dump()],
        "event_types": {"buy": {}, "view": {"sign": 0}},
        "earliest": "2000-01-01",
        "max_clock_skew_seconds": 60,
    }
)
CONTRACT = EventContract.of(DATA)


def event(**changes: Any) -> dict[str, Any]:
    return {"event_id": "e", "user_id": "u", "item_id": "i", "event_type": "buy"} | changes


def reason(raw: Any) -> str | None:
    try:
        CONTRACT.accept(raw, NOW)
    except Unacceptable as why:
        return str(why)
    return None


def reason_of_ingest(raw: dict[str, Any]) -> str | None:
    """What the ingest says of a file with this event in it."""
    validator = RowValidator(
        table="events",
        source=SOURCE,
        types=pa.schema([*EVENTS, *(EVENTS_OPTIONAL.field(n) for n in OPTIONAL), (SOURCE_ROW, pa.int64())]),
        latest=NOW + timedelta(seconds=60),
        earliest=datetime(2000, 1, 1, tzinfo=UTC),
        event_types=("buy", "view"),
    )
    types = {"value": pa.float64(), "position": pa.int64()}
    row = {name: pa.array([raw.get(name)], types.get(name, pa.string())) for name in SOURCE.columns}
    more = {ORDER: pa.array([0], pa.int64()), UNREADABLE: pa.array([None], pa.string())}
    found: str | None = validator(pa.table(row | more))[REASON][0]
    return found


TIMES = st.one_of(
    st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(2100, 1, 1), timezones=st.just(UTC)).map(
        lambda at: at.isoformat()
    ),
    st.sampled_from(
        [
            "2026-11-30T12:01:00Z",
            "2026-11-30T12:01:00.000001Z",
            "1999-12-31T23:59:59.999999+00:00",
            "2000-01-01T00:00:00Z",
        ]
    ),
)


@given(
    st.fixed_dictionaries(
        {"event_timestamp": TIMES},
        optional={
            "event_id": st.none() | st.text("ab", min_size=1),
            "user_id": st.none() | st.just("u"),
            "item_id": st.none() | st.just("i"),
            "event_type": st.sampled_from(["buy", "view", "sale"]),
            "value": st.none() | st.floats(-9, 9),
            "position": st.none() | st.integers(1, 9),
        },
    )
)
def test_the_reason_is_that_of_the_ingest(raw: dict[str, Any]) -> None:
    given_id = {"event_id": "e"} | {name: value for name, value in raw.items() if value is not None}
    assert reason(raw) == reason_of_ingest(given_id)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ([], "the event is no JSON object"),
        (event(user="u"), "an event has no field 'user'; it has: event_id, user_id"),
        (event(user_id=7), "user_id cannot be read as text of 1 to 256 characters"),
        (event(item_id=""), "item_id cannot be read as text"),
        (event(item_id="x" * 257), "item_id cannot be read as text"),
        (event(event_timestamp=1_700_000_000), "event_timestamp cannot be read as time"),
        (event(event_timestamp="2026-11-30 12:00:00"), "event_timestamp cannot be read as time"),
        (event(event_timestamp="0001-01-01T00:00:00+14:00"), "event_timestamp cannot be read as time"),
        (event(value=True), "value cannot be read as number"),
        (event(value=float("inf")), "value cannot be read as number"),
        (event(position=0), "position cannot be read as integer, from 1"),
        (event(position=float("inf")), "position cannot be read as integer, from 1"),
        (event(position=2**31), "position cannot be read as integer, from 1"),
        (event(context={"a": []}), "context cannot be read as object"),
        (event(context={str(n): 1 for n in range(65)}), "context cannot be read as object"),
    ],
)
def test_what_no_file_could_hold_has_a_reason_too(raw: Any, said: str) -> None:
    assert (reason(raw) or "").startswith(said)


def test_an_event_without_a_time_happened_now_and_both_times_are_kept() -> None:
    assert CONTRACT.accept(event(), NOW)["event_timestamp"] == "2026-11-30T12:00:00.000000+00:00"
    late = CONTRACT.accept(event(event_timestamp="2026-11-29T13:00:00+01:00"), NOW)
    assert late["event_timestamp"] == "2026-11-29T12:00:00.000000+00:00"
    assert late["known_timestamp"] == "2026-11-30T12:00:00.000000+00:00"


def test_without_an_id_the_content_is_the_id() -> None:
    def id(later: int = 0, **changes: Any) -> str:
        raw = event(event_id=None, **({"event_timestamp": "2026-11-30T12:00:00Z"} | changes))
        found: str = CONTRACT.accept(raw, NOW + timedelta(seconds=later))["event_id"]
        return found

    assert id() == id(later=5) == id(event_timestamp="2026-11-30T13:00:00+01:00")
    assert len({id(), id(user_id="v"), id(position=2), id(context={"a": 1}), id(context={"a": True})}) == 5
