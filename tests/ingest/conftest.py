"""Brings the shop of shop.py to a home."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from tests.ingest.readers import ray_data_reads
from tests.ingest.shop import bring_shop

from remora.ingest.ingest import ingest
from remora.ingest.lake import Lake
from remora.settings import Settings


@pytest.fixture
def shop(home_folder: Path) -> Callable[..., Settings]:
    """Writes the shop to this test's home; arguments as of bring_shop."""
    return partial(bring_shop, home_folder)


@pytest.fixture(scope="module")
def on_ray(ray_cluster: None) -> Iterator[None]:
    """Ray Data reads the events, few as they are."""
    with ray_data_reads():
        yield


@pytest.fixture(scope="session")
def lake(ray_cluster: None, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """The shop's lake, made once; for tests that only read it."""
    return ingest(bring_shop(tmp_path_factory.mktemp("home")))
