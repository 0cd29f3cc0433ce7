"""The small shop of the session; what moves an alias does so in a copy of its home."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tests.shops import Shop

from remora.core.home import Home
from remora.features import store
from remora.ingest.lake import Lake
from remora.registry.bundle import Bundle
from remora.registry.bundles import Bundles
from remora.settings import GatesSettings, ServingSettings, Settings

FEW = GatesSettings(requests=100, max_queries=150, latency_rounds=1, parity_users=10)


@pytest.fixture(scope="session")
def settings(built_shop: Shop) -> Settings:
    """The shop's, with a request's time as it is by default, and little that is measured."""
    return built_shop.settings.model_copy(update={"gates": FEW, "serving": ServingSettings()})


@pytest.fixture(scope="session")
def lake(settings: Settings) -> Lake:
    return Lake.open(Home(settings.home))


@pytest.fixture(scope="session")
def production(settings: Settings) -> Bundle:
    return Bundles(settings).open("production")


@pytest.fixture
def apart(settings: Settings, tmp_path: Path) -> Settings:
    """The same shop in a home of its own; Feast's registry is told where its tables are now."""
    shutil.copytree(settings.home, tmp_path / "home")
    copied = settings.model_copy(update={"home": str(tmp_path / "home")})
    store.apply(copied)
    return copied
