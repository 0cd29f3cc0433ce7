"""Where rows of the live state lie: in Feast's online store, beside those of the batch build, which they never replace.

A row says of which feature tables and which later events it is made. A reader takes it while the writer's header says
that these tables serve: after a materialization rows of the tables before count no more, whether or not the writer has
reached them.
"""

from __future__ import annotations

import json
import os
import sqlite3
import zlib
from collections.abc import Iterable, Mapping
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from remora.core.home import Home
from remora.core.tables import USER_ID
from remora.core.vocabulary import MAX_ID_CHARACTERS
from remora.features.live.user_rows import Row
from remora.features.store import store_config
from remora.settings import Settings

if TYPE_CHECKING:
    from feast.infra.online_stores.online_store import OnlineStore

VIEW, FEATURE = "user_live", "row"
FILE = "feast/live.db"


def writer_of(user: str, writers: int) -> int:
    """Which of ``writers`` has the user: by a hash of the id."""
    return zlib.crc32(user.encode()) % writers


class LiveRowStore:
    """Reads and writes rows. ``patience_seconds`` as of :func:`remora.features.store.open_store`."""

    def __init__(self, settings: Settings, *, patience_seconds: float | None = None) -> None:
        from feast import Entity, FeatureView, Field, FileSource
        from feast.infra.online_stores.helpers import get_online_store_from_config
        from feast.types import String
        from feast.value_type import ValueType

        self._writers = settings.events.live.writers
        self._config = store_config(settings, patience_seconds, online=FILE)
        user = Entity(name="user", join_keys=[USER_ID], value_type=ValueType.STRING)
        # In no registry: it has no batch source, and `feast materialize` would look for one.
        source = FileSource(name=VIEW, path=VIEW, timestamp_field="event_timestamp")
        self._view = FeatureView(name=VIEW, entities=[user], schema=[Field(name=FEATURE, dtype=String)], source=source)
        if not settings.features.redis:
            _make_file(Path(Home(settings.home).at(FILE)))
        self._store: OnlineStore = get_online_store_from_config(self._config.online_store)
        self._store.update(self._config, [], [self._view], [], [], partial=True)

    def read(self, user: str) -> Row | None:
        """What is known of the user since the feature tables; None where that is nothing."""
        header, row = self._read([_header(writer_of(user, self._writers), self._writers), user])
        if header is None or row is None or row["tables"] not in header["tables"]:
            return None
        found: Row = row["row"]
        return found

    def write(self, rows: Mapping[str, Row], tables: str) -> None:
        """Put rows of users in place, made of those feature tables and what came later."""
        self._write({user: {"tables": tables, "row": row} for user, row in rows.items()})

    def announce(self, writer: int, tables: Iterable[str]) -> None:
        """Say whose rows of a writer count: those of these tables."""
        self._write({_header(writer, self._writers): {"tables": list(tables)}})

    def announced(self, writer: int) -> list[str]:
        """What was announced last."""
        [header] = self._read([_header(writer, self._writers)])
        tables: list[str] = header["tables"] if header else []
        return tables

    def _read(self, keys: list[str]) -> list[Any]:
        found = self._store.online_read(self._config, self._view, [_key(one) for one in keys], [FEATURE])
        return [None if values is None else json.loads(values[FEATURE].string_val) for _, values in found]

    def _write(self, values: Mapping[str, Any]) -> None:
        from feast.protos.feast.types.Value_pb2 import Value

        now = datetime.now(UTC)
        data: list[tuple[Any, dict[str, Any], datetime, datetime | None]] = [
            (
                _key(one),
                {FEATURE: Value(string_val=json.dumps(value, default=_plain, separators=(",", ":")))},
                now,
                None,
            )
            for one, value in values.items()
        ]
        self._store.online_write_batch(self._config, self._view, data, None)


def _header(writer: int, writers: int) -> str:
    return f"{'/' * (MAX_ID_CHARACTERS + 1)}{writer}/{writers}"  # longer than any id


def _key(user: str) -> Any:
    from feast.protos.feast.types.EntityKey_pb2 import EntityKey
    from feast.protos.feast.types.Value_pb2 import Value

    return EntityKey(join_keys=[USER_ID], entity_values=[Value(string_val=user)])


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"a feature of the type {type(value).__name__} cannot be kept")


def _make_file(path: Path) -> None:
    """Readers of a file with a write-ahead log wait for no writer."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Never opened beside SQLite where it is there already: to close a file takes the process's locks on it away, and
    # SQLite would then remove the log that its other connections read.
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
