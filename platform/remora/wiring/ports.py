"""Ports of the loopback interface: free ones, and ones that are kept until something listens there."""

from __future__ import annotations

import itertools
import socket
from contextlib import closing

from remora.core.errors import NotReady

TRIES = 20

_reservations: list[socket.socket] = []
"""Sockets in Linux's abstract namespace, one a port: gone with the last process that has one open."""


def free_port(preferred: int) -> int:
    """The preferred port of the loopback interface, or any free one when it is taken; NotReady without one."""
    for port in (preferred, 0):
        with closing(socket.socket()) as probe:
            # As servers do: a port whose last connection closed a moment ago is free for them.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return probe.getsockname()[1]
    raise NotReady("No free port on 127.0.0.1.")


def reserved_port(preferred: int) -> int:
    """As :func:`free_port`, and no other Remora of this machine is given it while this process lives.

    HAProxy binds its ports when the application starts, long after the cluster was started with them: two clusters that
    start at the same time would both be given one that is free.
    """
    for candidate in itertools.islice(itertools.chain([preferred], itertools.repeat(0)), TRIES):
        port = free_port(candidate)
        reservation = socket.socket(socket.AF_UNIX)
        try:
            reservation.bind(f"\0remora-port-{port}")
        except OSError:
            reservation.close()
            continue
        _reservations.append(reservation)
        return port
    raise NotReady(f"No port on 127.0.0.1 that no other Remora has been given, in {TRIES} tries.")


def reservations() -> list[int]:
    """File descriptors of this process's reservations, for a child that is to have them."""
    return [reservation.fileno() for reservation in _reservations]


def hand_over() -> None:
    """Leave the reservations to a child that was started with them open."""
    while _reservations:
        _reservations.pop().close()
