"""The smallest settings that make a home."""

from __future__ import annotations

from pathlib import Path

import pytest

from remora.settings import DataSettings, EventTypeSettings, Settings, SourceSettings


@pytest.fixture
def settings(home_folder: Path) -> Settings:
    """A home in an empty folder."""
    source = SourceSettings(
        path="events.csv", format="csv", columns={"user_id": "u", "item_id": "i"}, event_type="like"
    )
    data = DataSettings(events=(source,), event_types={"like": EventTypeSettings(weight=1.0, sign=1)})
    return Settings(name="shop", home=str(home_folder), data=data)
