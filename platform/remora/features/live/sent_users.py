"""What was sent of users since the feature tables, in the columns that the batch build makes of it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import polars as pl
import pyarrow as pa

from remora.core.tables import EVENT_TIMESTAMP, PROFILE, USER_ID
from remora.events.entity_states import EntityStates
from remora.events.entity_update import EntityUpdate
from remora.events.update_tables import as_table
from remora.features.live.user_rows import Row
from remora.features.profiles import user_profile
from remora.ingest.lake import Lake
from remora.ingest.sent_updates import typed
from remora.settings import DataSettings


class SentUsers:
    """Columns of users by the full name of each. ``states`` are those of the users, ``lake`` and ``end`` say what the
    rows of the feature tables were made of."""

    def __init__(self, states: EntityStates, lake: Lake, end: datetime, data: DataSettings) -> None:
        self._states, self._data, self._types = states, data, lake.user_schema
        self._made = _made(lake, end, [*states.current]) if states.current else frozenset()

    def poll(self) -> list[str]:
        """Of whom something came. StorageError, NotReady while the log cannot be read."""
        return [update.id for update in self._states.poll(0.0)]

    def changed(self) -> list[str]:
        """Of whom there is something that the rows of the feature tables do not have."""
        return [id for id, update in self._states.current.items() if (id, update.instant) not in self._made]

    def of(self, users: Iterable[str]) -> dict[str, Row]:
        """Of those users that were ever sent; all are null of one that was deleted."""
        updates = [found for user in users if (found := self._states.current.get(user)) is not None]
        profile = user_profile(self._typed(updates), self._data) if updates else None
        if profile is None:
            return {}
        rows = profile.drop_columns([EVENT_TIMESTAMP]).to_pylist()
        return {row.pop(USER_ID): {f"{PROFILE}{name}": value for name, value in row.items()} for row in rows}

    def close(self) -> None:
        """Let the log go."""
        self._states.close()

    def _typed(self, updates: list[EntityUpdate]) -> pa.Table:
        return typed("users", as_table(updates), self._types)


def _made(lake: Lake, end: datetime, users: list[str]) -> frozenset[tuple[str, datetime]]:
    """Which versions of users the feature tables have online: those of their lake that were valid at its end."""
    if EVENT_TIMESTAMP not in lake.user_schema.names:
        return frozenset()
    versions = pl.DataFrame(pl.from_arrow(lake.users().select([USER_ID, EVENT_TIMESTAMP])))
    made = (pl.col(EVENT_TIMESTAMP) <= end) & pl.col(USER_ID).is_in(users)
    return frozenset(versions.filter(made).iter_rows())
