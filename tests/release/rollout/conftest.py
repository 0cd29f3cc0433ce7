"""A home, and a world of replicas on it."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.release.rollout.world import World

from remora.settings import DataSettings, EventTypeSettings, RolloutSettings, Settings, SourceSettings

PATIENT = RolloutSettings(min_requests=1_000, load_timeout_seconds=30, bake_seconds=20)


def settings_at(home: Path) -> Settings:
    source = SourceSettings(path="e.csv", format="csv", columns={"user_id": "u", "item_id": "i"}, event_type="like")
    data = DataSettings(events=(source,), event_types={"like": EventTypeSettings(weight=1.0, sign=1)})
    return Settings(name="shop", home=str(home), data=data, rollout=PATIENT)


@pytest.fixture
def settings(home_folder: Path) -> Settings:
    return settings_at(home_folder)


@pytest.fixture
def world(settings: Settings) -> World:
    return World(settings)
