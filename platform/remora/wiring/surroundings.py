"""What the environment of a process may hold, or lack, that would lead Remora astray."""

from __future__ import annotations

import getpass
import os

from remora.core.feast_import import cleared

LOOPBACK = ("localhost", "127.0.0.1", "::1")


def settle() -> None:
    """Make this process, and those that it starts, ask no proxy for loopback addresses, and have a user's name.

    A folder for Prometheus' client, such as Feast makes, is not handed on: who inherits it cannot count without it.
    Without an entry in the password file (`docker run --user 1234`) there is no name, which several libraries ask for.
    """
    for name in ("no_proxy", "NO_PROXY"):
        there = [part.strip() for part in os.environ.get(name, "").split(",") if part.strip()]
        # A star already means that no proxy is asked for any host.
        if there != ["*"]:
            os.environ[name] = ",".join([*there, *(host for host in LOOPBACK if host not in there)])
    cleared(os.environ)
    try:
        getpass.getuser()
    except (KeyError, OSError):
        os.environ["LOGNAME"] = f"uid{os.getuid()}"
