"""A cluster that does not come up is not ready, and other errors of Ray stay what they are."""

from __future__ import annotations

import socket

import pytest

from remora.core.errors import NotReady
from remora.wiring.cluster import check_listens, starting


def test_ray_that_does_not_start_in_time_is_tried_again_and_is_no_bug() -> None:
    with pytest.raises(NotReady, match=r"timed out during startup.*Run the same command again"), starting():
        raise Exception("The current node timed out during startup. This could happen because")


def test_every_other_error_is_raised_as_it_is() -> None:
    with pytest.raises(ZeroDivisionError), starting():
        raise ZeroDivisionError


def test_an_address_at_which_nothing_listens_is_said_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        check_listens(address)
    for nowhere in (address, "127.0.0.1:99999"):
        with pytest.raises(NotReady, match=r"No Ray cluster listens at .*RAY_ADDRESS or cluster\.address"):
            check_listens(nowhere)


@pytest.mark.parametrize("address", ["auto", "local", "ray://127.0.0.1:1", "head"])
def test_what_is_no_host_and_port_is_left_to_ray(address: str) -> None:
    check_listens(address)
