"""The point-in-time join scales out: three nodes, each with less memory than the data, give the right rows."""

from __future__ import annotations

from typing import Any

import pytest
from tests.cluster.program import printed

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def seen() -> dict[str, Any]:
    return printed("far_join")


def test_the_rows_are_more_than_the_object_stores_hold(seen: dict[str, Any]) -> None:
    assert seen["bytes"] > seen["stores"]


def test_every_node_took_part(seen: dict[str, Any]) -> None:
    assert seen["nodes"] == 3


def test_every_row_is_there_and_right(seen: dict[str, Any]) -> None:
    assert seen["rows"] == 300_000
    assert seen["same_rows"]
    assert seen["same_values"]
