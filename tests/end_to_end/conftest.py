"""The small shop, brought along the whole path once for the session."""

from __future__ import annotations

import pytest
from tests.shops import Shop


@pytest.fixture(scope="session")
def shop(built_shop: Shop) -> Shop:
    return built_shop
