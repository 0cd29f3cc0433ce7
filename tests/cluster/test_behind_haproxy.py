"""Behind HAProxy the app answers as ever, listens on nothing but loopback, and a killed replica costs no request."""

from __future__ import annotations

import pytest
from tests.cluster.program import printed

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def seen() -> dict:
    return printed("behind_haproxy")


@pytest.mark.parametrize("topology", ["fused", "graph"])
def test_every_kind_of_request_is_answered_as_without_it(seen: dict, topology: str) -> None:
    said = seen[topology]
    assert all(len(set(slate)) == 7 for slate in said["slates"].values())
    assert said["slates"] == seen["fused"]["slates"]
    assert said["wrong"] == [422, "application/problem+json"]
    assert (said["missing"], said["too_large"]) == (404, 413)
    assert said["request_id"] == ["mine"]
    assert said["ready"] == {"status": "ready", "bundle": "small"}


def test_it_listens_on_loopback_and_its_socket_is_its_owners(seen: dict) -> None:
    assert seen["listening"] == {"addresses": ["127.0.0.1"], "modes": ["0o600"]}


@pytest.mark.parametrize("happening", ["replaced", "killed"])
def test_replicas_are_replaced_and_killed_without_a_failed_request(seen: dict, happening: str) -> None:
    assert seen[happening]["failed"] == []
    assert seen[happening]["answers"] > 400
