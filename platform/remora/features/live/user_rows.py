"""What serves of a user, made of the user's events by the transforms of the batch build."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

import polars as pl

from remora.core.tables import EVENT_TIMESTAMP, USER_ID
from remora.extensions import ComponentChoice
from remora.features.transforms.snapshots import checked
from remora.features.transforms.transform import TransformContext, midnight_from

logger = logging.getLogger(__name__)

Row = Mapping[str, Any]
"""Values by the full name of a column, ``view__feature``: what Feast's online store gives, in Python's types."""

NO_DAY = date.min
"""Of a row that has to be made again."""


class UserRows:
    """Makes rows of users by ``views``, each the choice of a transform of users.

    A row of a daily view is kept for the day, and made again for a user with an event of a day before; it takes most of
    the time of a user's first row, and need not be waited for: see :meth:`due`. A transform that fails for a user
    leaves that user without a new row and no other: ``failed`` has them, with why.
    """

    def __init__(self, views: Mapping[str, ComponentChoice], context: TransformContext) -> None:
        self.context, self._views = context, views
        self._kept: dict[str, dict[str, tuple[date, Row]]] = {view: {} for view, one in views.items() if _daily(one)}
        self.failed: dict[str, str] = {}

    def forget(self, users: Iterable[str]) -> None:
        """Keep no row of a day of these."""
        for user in users:
            for kept in self._kept.values():
                kept.pop(user, None)

    def forget_days(self, came: Iterable[tuple[str, date]]) -> None:
        """Of users and days from which an event came: rows of later days are made again."""
        for user, day in came:
            for kept in self._kept.values():
                if user in kept and kept[user][0] > day:
                    kept[user] = (NO_DAY, kept[user][1])

    def due(self, instants: pl.DataFrame) -> list[str]:
        """Users of ``instants`` of whom a row of the day is not made yet."""
        return [user for user, day in _days(instants).items() if any(_stale(k, user, day) for k in self._kept.values())]

    def of(self, events: pl.DataFrame, instants: pl.DataFrame, *, at_hand: bool = False) -> dict[str, Row]:
        """The row of each user of ``instants`` (``user_id``, ``instant``), from all of their events.

        ``at_hand``: of daily views the rows that were made last, or none, so that what is not daily is there at once.
        """
        users = instants[USER_ID].to_list()
        try:
            return self._made(events, instants, at_hand)
        except Exception as error:
            if len(users) == 1:
                self.failed[users[0]] = f"{type(error).__name__}: {error}"
                logger.exception("the live state of a user cannot be made; the row of before stays")
                return {}
        half = len(users) // 2
        rows = dict[str, Row]()
        for some in (instants[:half], instants[half:]):
            own = events.filter(pl.col(USER_ID).is_in(some[USER_ID].to_list()))
            rows |= self.of(own, some, at_hand=at_hand)
        return rows

    def _made(self, events: pl.DataFrame, instants: pl.DataFrame, at_hand: bool) -> dict[str, Row]:
        rows: dict[str, dict[str, Any]] = {user: {} for user in instants[USER_ID]}
        for view, choice in self._views.items():
            if view not in self._kept:
                made = self._view(view, choice, events, instants)
            elif at_hand:
                made = {user: self._kept[view][user][1] for user in rows if user in self._kept[view]}
            else:
                made = self._of_day(view, choice, events, instants)
            for user, row in made.items():
                rows[user] |= row
        for user in () if at_hand else rows:
            self.failed.pop(user, None)
        return dict(rows)

    def _of_day(
        self, view: str, choice: ComponentChoice, events: pl.DataFrame, instants: pl.DataFrame
    ) -> dict[str, Row]:
        """Rows that were kept, and those that are made for the day."""
        kept, day_of = self._kept[view], _days(instants)
        old = [user for user, day in day_of.items() if _stale(kept, user, day)]
        if old:
            whose = pl.col(USER_ID).is_in(old)
            made = self._view(view, choice, events.filter(whose), instants.filter(whose))
            kept.update({user: (day_of[user], row) for user, row in made.items()})
        return {user: kept[user][1] for user in day_of}

    def _view(self, view: str, choice: ComponentChoice, events: pl.DataFrame, instants: pl.DataFrame) -> dict[str, Row]:
        found = choice.component.cls.latest(choice.config, events, self.context, instants)
        last = instants["instant"].max()
        assert isinstance(last, datetime)
        # The checks of a build, and its types.
        stamped = found.drop(EVENT_TIMESTAMP, strict=False).with_columns(
            pl.lit(last).cast(pl.Datetime("us", "UTC")).alias(EVENT_TIMESTAMP)
        )
        table = checked(view, USER_ID, stamped, midnight_from(last)).drop_columns([EVENT_TIMESTAMP])
        columns = {f"{view}__{name}": table[name].to_pylist() for name in table.column_names if name != USER_ID}
        whole = zip(*columns.values(), strict=True)
        return {
            user: dict(zip(columns, values, strict=True))
            for user, values in zip(table[USER_ID].to_pylist(), whole, strict=True)
        }


def _days(instants: pl.DataFrame) -> dict[str, date]:
    return dict(zip(instants[USER_ID], instants["instant"].dt.date(), strict=True))


def _stale(kept: Mapping[str, tuple[date, Row]], user: str, day: date) -> bool:
    found = kept.get(user)
    return found is None or found[0] != day


def _daily(choice: ComponentChoice) -> bool:
    daily: bool = choice.component.cls.daily
    return daily


def instants_of(users: Sequence[str], events: pl.DataFrame, now: datetime) -> pl.DataFrame:
    """``user_id`` and ``instant`` for which each row is made: ``now``, or right after the user's last event where a
    client's clock is ahead, so that nothing that came is left out."""
    last = events.group_by(USER_ID).agg(pl.col(EVENT_TIMESTAMP).max() + pl.duration(microseconds=1))
    asked = pl.DataFrame({USER_ID: users}, schema={USER_ID: pl.String}).join(last, on=USER_ID, how="left")
    at = pl.lit(now).cast(pl.Datetime("us", "UTC"))
    return asked.select(USER_ID, instant=pl.max_horizontal(pl.col(EVENT_TIMESTAMP).fill_null(at), at))
