"""Whom benchmarks ask for."""

from __future__ import annotations

import pyarrow.compute as pc

from remora.core.home import Home
from remora.features.tables import FeatureTables
from remora.settings import Settings


def known_users(settings: Settings) -> list[str]:
    """Ids of all users of a home that have a history."""
    found: list[str] = pc.unique(
        FeatureTables.open(Home(settings.home)).read("user_history", ["user_id"])["user_id"]
    ).to_pylist()
    return found
