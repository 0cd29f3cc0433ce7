"""What one replica serves: the live objects of one bundle and the pipelines made of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from remora.pipeline import Hydrator, Pipeline
from remora.settings import Settings
from remora.surfaces.last_resort import last_resort
from remora.surfaces.parts import Parts
from remora.surfaces.table import SURFACES


@dataclass(frozen=True, kw_only=True)
class Release:
    """One bundle, live. ``variant`` is the alias or id that was asked for, ``bundle`` the id it stood for."""

    bundle: str
    variant: str
    parts: Parts
    surfaces: Mapping[str, Pipeline]
    last_resort: Pipeline

    @classmethod
    def of(cls, parts: Parts, *, bundle: str, variant: str) -> Release:
        """Build every surface of the table from the parts."""
        surfaces = {name: surface(parts) for name, surface in SURFACES.items()}
        return cls(bundle=bundle, variant=variant, parts=parts, surfaces=surfaces, last_resort=last_resort(parts))

    def instant(self) -> datetime:
        """When a request without an instant happens: now, or at the end of historical data."""
        if self.parts.settings.data.clock == "data":
            return self.parts.snapshot.instant
        return datetime.now(UTC)


class Loader(Protocol):
    """Where a replica gets what it serves; it travels to the replica, so it must pickle."""

    @property
    def settings(self) -> Settings:
        """Of the home that the bundle belongs to."""

    def release(self) -> Release:
        """The live objects; takes seconds."""

    def users(self, release: Release) -> Hydrator:
        """Who tells what is known of a user."""
