"""The small shop, brought along the whole path once for all tests of this folder."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from tests.end_to_end.dataset import write

from remora.cli import path
from remora.cli.path import Done
from remora.settings import Settings, load


@dataclass(frozen=True, kw_only=True)
class Shop:
    """A home with everything built, and how each step ended."""

    settings: Settings
    steps: dict[str, Done]


@pytest.fixture(scope="package")
def shop(ray_cluster: None, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    folder = tmp_path_factory.mktemp("shop")
    settings = load(write(folder), home=str(folder / "home"))
    return Shop(settings=settings, steps={done.step.name: done for done in path.run(settings)})
