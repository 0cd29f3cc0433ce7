"""One item or user as it was sent: what the log has of it, and which of two updates holds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

EntityKind = Literal["items", "users"]


@dataclass(frozen=True, kw_only=True)
class EntityUpdate:
    """An item or user from ``instant`` (UTC, when the server learned it) on.

    ``columns`` are all that is known of it, by the names of the lake; a column that is not among them is null. None: it
    was deleted.
    """

    kind: EntityKind
    id: str
    instant: datetime
    columns: Mapping[str, Any] | None

    @property
    def is_deleted(self) -> bool:
        """Is it gone?"""
        return self.columns is None

    def encode(self) -> bytes:
        """The record of the log: one line of JSON."""
        said = {"id": self.id, "instant": self.instant.isoformat(timespec="microseconds"), "columns": self.columns}
        return json.dumps(said, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()

    @classmethod
    def decode(cls, kind: EntityKind, record: bytes) -> EntityUpdate:
        """What :meth:`encode` gave. ValueError, KeyError for what is no such record."""
        said = json.loads(record)
        return cls(kind=kind, id=said["id"], instant=datetime.fromisoformat(said["instant"]), columns=said["columns"])

    def holds_over(self, other: EntityUpdate) -> bool:
        """Does this one hold where both are known? The later one does, whatever order they come in."""
        return (self.instant, self.encode()) > (other.instant, other.encode())
