"""The smallest settings that make a home."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from remora.registry.bundles import Bundles
from remora.registry.tracking import tracking_uri
from remora.settings import DataSettings, EventTypeSettings, Settings, SourceSettings


@pytest.fixture
def settings(home_folder: Path) -> Settings:
    """A home in an empty folder."""
    source = SourceSettings(
        path="events.csv", format="csv", columns={"user_id": "u", "item_id": "i"}, event_type="like"
    )
    data = DataSettings(events=(source,), event_types={"like": EventTypeSettings(weight=1.0, sign=1)})
    return Settings(name="shop", home=str(home_folder), data=data)


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MLflow's tables, made once: it takes seconds."""
    home = tmp_path_factory.mktemp("tracked")
    source = SourceSettings(path="events.csv", format="csv", columns={}, event_type="like")
    data = DataSettings(events=(source,), event_types={"like": EventTypeSettings()})
    return Path(tracking_uri(Settings(name="shop", home=str(home), data=data)).removeprefix("sqlite:///"))


@pytest.fixture
def bundles(settings: Settings, empty_database: Path) -> Bundles:
    """The registry of an empty home."""
    target = Path(settings.home, "mlflow", empty_database.name)
    target.parent.mkdir()
    shutil.copyfile(empty_database, target)
    return Bundles(settings)
