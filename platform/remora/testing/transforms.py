"""What every transform promises: a test inherits :class:`TransformContract` and names the transform.

A class of pytest whose methods are plain functions: nothing here needs pytest, or a plugin of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import numpy as np
import polars as pl
from polars.testing import assert_frame_equal

from remora.core.tables import EVENT_TIMESTAMP
from remora.extensions import ComponentConfig
from remora.extensions.kinds import TRANSFORM
from remora.features.transforms.snapshots import STAMP, checked
from remora.features.transforms.transform import KEYS, Transform, TransformContext, midnight_from

__all__ = ["TransformContract", "some_context", "some_events"]

START = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = 40

WEIGHTS: Mapping[str, float] = {"view": 0.5, "buy": 1.0}
EVENT_TYPES = (*WEIGHTS, "hide")

USERS, ITEMS, CATEGORIES = 12, 15, ("a", "b", "c", "d")

INSTANTS = (0.1, 0.35, 0.6, 0.8, 0.95)
"""Where events are cut off, as fractions of their time."""


def some_events(seed: int = 0, events: int = 400) -> pl.DataFrame:
    """Random events of 40 days, in no order: with ties, events on midnights, repeats, and values that are null."""
    random = np.random.default_rng(seed)
    hours = random.integers(0, 24 * DAYS, events)
    values = random.integers(1, 6, events).astype(float)
    return pl.DataFrame(
        {
            "event_id": [f"e{number}" for number in range(events)],
            "user_id": [f"u{user}" for user in (USERS * random.random(events) ** 2).astype(int)],
            "item_id": [f"i{item}" for item in (ITEMS * random.random(events) ** 2).astype(int)],
            "event_type": random.choice(EVENT_TYPES, events, p=[0.6, 0.3, 0.1]).tolist(),
            EVENT_TIMESTAMP: pl.Series([START + timedelta(hours=int(hour)) for hour in hours]).cast(STAMP),
            "value": [None if random.random() < 0.3 else value for value in values],
            "source_row": np.arange(events),
        }
    )


def some_context(**changes: Any) -> TransformContext:
    """What fits :func:`some_events`: three event types, windows of 1 and 7 days, and items with categories, of which
    one changes on the tenth day."""
    numbers = [[item % len(CATEGORIES)] if item % 5 else [0, 2] for item in range(ITEMS)]
    categories = pl.DataFrame(
        {
            "item_id": [*(f"i{item}" for item in range(ITEMS)), "i1"],
            EVENT_TIMESTAMP: [*[datetime(1970, 1, 1, tzinfo=UTC)] * ITEMS, START + timedelta(days=10, hours=5)],
            "category_numbers": [*numbers, [3]],
        },
        schema={"item_id": pl.String, EVENT_TIMESTAMP: STAMP, "category_numbers": pl.List(pl.Int32)},
    )
    values: dict[str, Any] = {
        "event_types": EVENT_TYPES,
        "weights": WEIGHTS,
        "windows_days": (1, 7),
        "history_length": 5,
        "seen_limit": 8,
        "until": START + timedelta(days=DAYS),
        "category_names": CATEGORIES,
        "item_categories": categories,
    }
    return TransformContext(**(values | changes))


class TransformContract:
    """Of transforms: what is known at an instant does not depend on what comes after it, nor on anything but events.

    A subclass names the ``component``, and overrides ``config``, ``context`` or ``events`` where it needs others than
    the default settings, :func:`some_context` and :func:`some_events`. ``only_latest`` says that the view has the last
    row of each key alone, so that later events replace rows: no view that a model is trained on may.
    """

    component: ClassVar[type[Transform]]
    only_latest: ClassVar[bool] = False

    def config(self) -> ComponentConfig:
        """The transform's own settings."""
        return TRANSFORM.config_of(self.component)()

    def context(self) -> TransformContext:
        """What it may read beside them."""
        return some_context()

    def events(self) -> pl.DataFrame:
        """All events."""
        return some_events()

    def rows(self, events: pl.DataFrame, until: datetime | None = None) -> pl.DataFrame:
        """The view's rows of some events, as a build of features keeps them, by key and time.

        ``until`` is when the data of that build ends; by default that of the context.
        """
        context = self.context()
        context = replace(context, until=until or context.until)
        found = self.component.transform(self.config(), events, context)
        table = checked(self.component.__name__, self.key, found, context.until)
        return pl.DataFrame(table).sort(self.key, EVENT_TIMESTAMP)

    @property
    def key(self) -> str:
        """The column of the ids of whom the view is about."""
        return KEYS[self.component.entity]

    def test_there_are_rows_and_they_can_be_a_view(self) -> None:
        """With an id, a time, and columns of types that a feature store has."""
        assert self.component.applies(self.config(), self.context())
        assert len(self.rows(self.events()))

    def test_events_from_an_instant_on_change_no_row_at_or_before_it(self) -> None:
        """A build at an instant, of the data until then, makes the rows that a later build has of that time.

        A row that differs, that is there only then or only now, or that reads when the data ends, sees the future.
        """
        events = self.events()
        whole = self.rows(events)
        for instant in instants(events):
            built = self.rows(events.filter(pl.col(EVENT_TIMESTAMP) < instant), until=midnight_from(instant))
            then = built.filter(pl.col(EVENT_TIMESTAMP) <= instant)
            now = whole.filter(pl.col(EVENT_TIMESTAMP) <= instant)
            if self.only_latest:
                then = then.join(now, on=[self.key, EVENT_TIMESTAMP], how="semi").sort(self.key, EVENT_TIMESTAMP)
            assert_frame_equal(now, then)

    def test_the_order_of_the_events_changes_nothing(self) -> None:
        """Ray Data gives a partition's events in any order."""
        events = self.events()
        assert_frame_equal(self.rows(events), self.rows(events.sample(fraction=1.0, shuffle=True, seed=1)))

    def test_a_key_has_the_same_rows_whoever_else_is_there(self) -> None:
        """Which users or items share a partition depends on a hash."""
        events = self.events()
        ids = events[self.key].unique().sort()
        parts = [self.rows(events.filter(pl.col(self.key).is_in(ids[start::3].to_list()))) for start in range(3)]
        assert_frame_equal(self.rows(events), pl.concat(parts).sort(self.key, EVENT_TIMESTAMP))

    def latest(self, events: pl.DataFrame, instant: datetime) -> pl.DataFrame:
        """What the live state has of every key at an instant, from these events."""
        keys = self.events()[self.key].unique().sort()
        instants = pl.DataFrame({self.key: keys, "instant": pl.Series([instant] * len(keys)).cast(STAMP)})
        return self.component.latest(self.config(), events, self.context(), instants).sort(self.key)

    def test_the_live_state_has_the_row_of_the_instant(self) -> None:
        """Made of nothing that happens at the instant or later; of a ``daily`` transform, of nothing of its day."""
        events, at = self.events(), pl.col(EVENT_TIMESTAMP)
        for instant in instants(events):
            found = self.latest(events, instant)
            assert_frame_equal(found, self.latest(events.filter(at < instant), instant))
            if self.component.daily:
                midnight = instant.replace(hour=0, minute=0, second=0, microsecond=0)
                assert_frame_equal(found, self.latest(events.filter(at < midnight), instant))

    def test_the_columns_are_the_same_whatever_the_events(self) -> None:
        """Of a user with one event, too."""
        events = self.events()
        expected = self.rows(events).schema
        assert all(self.rows(events[row : row + 1]).schema == expected for row in range(min(len(events), 10)))


def instants(events: pl.DataFrame) -> Iterable[datetime]:
    """Some times of events, some midnights among them, and the instants right after."""
    stamps = events[EVENT_TIMESTAMP].sort()
    for fraction in INSTANTS:
        at = stamps[int(fraction * (len(stamps) - 1))]
        yield from (at, at + timedelta(microseconds=1), midnight_from(at))
