"""What a transform is: a component that turns events into the snapshots of one feature view."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from remora.core.tables import ITEM_ID, USER_ID

if TYPE_CHECKING:  # settings import the components that they name
    import polars as pl

KEYS: Mapping[str, str] = {"user": USER_ID, "item": ITEM_ID}
"""Entity -> the column of its ids."""


@dataclass(frozen=True, kw_only=True)
class TransformContext:
    """What a transform may read beside its own settings and the events.

    ``event_types`` are all that the data declares, ``weights`` those that say a user wanted the item, with what one
    event counts. ``windows_days``, ``history_length`` and ``seen_limit`` are those of ``features``. ``until`` (UTC) is
    the midnight after the last event of all. ``category_names`` lists the categories, most frequent first, and
    ``item_categories`` what each item had from when on: ``item_id``, ``event_timestamp`` (valid from) and
    ``category_numbers`` (list of int32, positions in ``category_names``); None where the data declares no category.
    """

    event_types: tuple[str, ...]
    weights: Mapping[str, float]
    windows_days: tuple[int, ...]
    history_length: int
    seen_limit: int
    until: datetime
    category_names: tuple[str, ...] = ()
    item_categories: pl.DataFrame | None = None

    @property
    def until_day(self) -> int:
        """``until`` in days since 1970-01-01."""
        return int(self.until.timestamp()) // 86_400


class Transform(ABC):
    """Columns in, columns out; no I/O, and nothing is remembered between calls.

    ``entity`` says whom the view is about, ``user`` or ``item``; ``reads`` names columns of the events beside
    ``user_id``, ``item_id``, ``event_type``, ``event_timestamp``, ``value`` (where the data has values), ``event_id``
    and ``source_row``. ``daily`` says that rows become valid at midnights (UTC) alone, so that what happens today
    changes none before the next: the live state then leaves the rest of the day out. A class ``Config`` within, a
    :class:`~remora.extensions.ComponentConfig`, has its settings.
    """

    entity: ClassVar[str]
    reads: ClassVar[tuple[str, ...]] = ()
    daily: ClassVar[bool] = False

    @classmethod
    def applies(cls, config: Any, context: TransformContext) -> bool:
        """Is there something to make the view of? Without, the data has no such view."""
        return True

    @classmethod
    @abstractmethod
    def transform(cls, config: Any, events: pl.DataFrame, context: TransformContext) -> pl.DataFrame:
        """Snapshots of some users (or items), of all events of each, in any order of rows.

        Gives the id's column, ``event_timestamp`` (UTC: when the row becomes valid) and the features: truths, numbers,
        texts, times or lists of those. A row holds until the next one of its user. It may depend only on events
        strictly before its ``event_timestamp``; whether there is a row, too. Columns are the same whatever the events.
        """

    @classmethod
    def latest(
        cls, config: Any, events: pl.DataFrame, context: TransformContext, instants: pl.DataFrame
    ) -> pl.DataFrame:
        """The row of each user (or item) that is valid at its instant, which the live state keeps.

        ``instants`` has the id's column and ``instant`` (UTC), ``events`` all events of each. Gives the rows of
        :meth:`transform` as of then, one for each of ``instants`` in any order, with nulls where no row is valid; a
        transform whose view has something else online says what, by the same rule: of events strictly before then.
        """
        import polars as pl

        key, at = KEYS[cls.entity], "event_timestamp"
        before = events.join(instants, on=key).filter(pl.col(at) < pl.col("instant")).drop("instant")
        last = instants["instant"].max()
        assert isinstance(last, datetime)
        found = cls.transform(config, before, replace(context, until=midnight_from(last)))
        rows = found.with_columns(pl.col(at).cast(pl.Datetime("us", "UTC"))).sort(at)
        valid = instants.sort("instant").join_asof(
            rows, left_on="instant", right_on=at, by=key, strategy="backward", check_sortedness=False
        )
        return valid.drop("instant", at, strict=False)


def midnight_from(instant: datetime) -> datetime:
    """The first midnight at or after an instant, UTC."""
    day = instant.replace(hour=0, minute=0, second=0, microsecond=0)
    return day if day == instant else day + timedelta(days=1)
