"""A training job, the app and the batch run unchanged on two nodes."""

from __future__ import annotations

from typing import Any

import pytest
from tests.cluster.program import printed

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def seen() -> dict[str, Any]:
    return printed("two_nodes")


def test_there_are_two_nodes_and_the_graph_needs_both(seen: dict[str, Any]) -> None:
    assert seen["nodes"] == 2
    assert seen["graph"]["nodes"] == 2


@pytest.mark.parametrize("topology", ["graph", "fused"])
def test_the_app_is_ready_and_nothing_is_degraded(seen: dict[str, Any], topology: str) -> None:
    assert seen[topology]["ready"] == 200
    assert seen[topology]["degraded"] == []


def test_both_topologies_and_the_batch_give_the_same_slates(seen: dict[str, Any]) -> None:
    assert seen["graph"]["slates"] == seen["fused"]["slates"] == seen["batch"]
    assert all(len(slate) == 7 for slate in seen["batch"].values())


def test_the_towers_are_trained_by_workers_on_both_nodes(seen: dict[str, Any]) -> None:
    assert seen["training"] == {"items": 40, "workers": 3, "nodes": 2}
