"""The wheel, built and installed once."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.project.wheel import Installed, build_wheel


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file."""
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The package as an installation has it, far from the checkout."""
    return Installed.of(wheel, tmp_path_factory.mktemp("site") / "packages")
