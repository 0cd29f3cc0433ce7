"""Ports are free, and those that are kept go to no other process while one that has them lives."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing

import pytest

from remora.wiring import ports

OTHER = "from remora.wiring.ports import reserved_port; print(reserved_port({port}), flush=True)"


@pytest.fixture(autouse=True)
def _nothing_is_kept() -> Iterator[None]:
    yield
    ports.hand_over()


def in_another_process(port: int) -> int:
    asked = subprocess.run([sys.executable, "-c", OTHER.format(port=port)], capture_output=True, text=True, check=True)
    return int(asked.stdout)


def test_a_port_that_is_kept_is_given_to_no_other_process_until_it_is_left() -> None:
    wanted = ports.free_port(0)
    kept = ports.reserved_port(wanted)
    assert kept == wanted
    assert in_another_process(kept) != kept
    assert ports.reserved_port(kept) != kept
    ports.hand_over()
    assert in_another_process(kept) == kept


def test_a_child_keeps_what_it_was_given() -> None:
    kept = ports.reserved_port(ports.free_port(0))
    wait = [sys.executable, "-c", "import sys; sys.stdin.read()"]
    with subprocess.Popen(wait, stdin=subprocess.PIPE, pass_fds=ports.reservations()) as child:
        ports.hand_over()
        assert in_another_process(kept) != kept
        child.communicate()
    assert in_another_process(kept) == kept


def test_a_port_that_a_server_has_is_not_kept() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        taken = server.getsockname()[1]
        assert ports.reserved_port(taken) != taken
