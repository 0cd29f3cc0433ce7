"""More load brings more replicas, less load fewer, and no request fails on the way; a node may be lost."""

from __future__ import annotations

from typing import Any

import pytest
from tests.cluster.program import printed

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def seen() -> dict[str, Any]:
    return printed("three_nodes")


def test_replicas_follow_the_load_up_and_down_and_no_request_fails(seen: dict[str, Any]) -> None:
    step = seen["step"]
    assert set(step["before"].values()) == set(step["after"].values()) == {1}
    assert min(step["at_most"]["Retriever"], step["at_most"]["Ranker"]) > 1
    assert step["failed"] == []
    assert step["answers"] > 100


def test_no_two_replicas_of_a_deployment_share_a_node_where_the_settings_say_so(seen: dict[str, Any]) -> None:
    assert seen["together"] == 1


def test_a_node_is_lost_and_no_more_than_what_it_held(seen: dict[str, Any]) -> None:
    """Each of the four clients has one request on the way when it happens; whatever comes after is answered."""
    assert seen["loss"]["failed"] <= 4, seen["loss"]
    assert seen["loss"]["answers"] > 200
