"""Behind HAProxy the app answers as ever, listens on nothing but loopback, and a killed replica costs no request."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def seen() -> dict:
    environment = {**os.environ, "RAY_AUTH_MODE": "disabled", "PYTHONPATH": f"{ROOT}:{ROOT / 'platform'}"}
    program = [sys.executable, "-m", "tests.cluster.behind_haproxy"]
    ran = subprocess.run(program, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr[-4_000:]
    return json.loads(ran.stdout.strip().splitlines()[-1])


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
