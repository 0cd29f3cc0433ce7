"""The TCP front of HAProxy: a request's head is looked at before HAProxy's HTTP parser, which answers in its own text.

The first head of a connection that is no HTTP/1, too large or not whole in time gets a problem document from
``edge_heads.lua``. Connections with a good one are handed to the HTTP frontend over a socket of this process, with the
client's address (PROXY protocol 2). Later heads of the connection are the parser's alone.
"""

from __future__ import annotations

from pathlib import Path

SCRIPT = Path(__file__).with_name("edge_heads.lua")
SOCKET = "h.sock"  # beside Ray's own; HAProxy takes paths of 97 characters
INNER_SECONDS = 600
"""A silent connection is ended by the HTTP frontend, which has shorter times; this ends what it cannot."""


def load(problems: Path) -> str:
    """The line of section ``global`` that loads the script; ``problems`` holds messages as ``<status>.http``."""
    return f'lua-load "{SCRIPT}" "{problems}"'


def front(bind: str, folder: Path, *, seconds: int, max_head_bytes: int, max_connections: int) -> str:
    """Sections in place of the HTTP frontend's address ``bind``; the last begins the HTTP frontend.

    A request's head must come within ``seconds`` and hold at most ``max_head_bytes``; ``max_connections`` are of one
    address, 0: no limit.
    """
    limited = (
        "stick-table type ipv6 size 100k expire 60s store conn_cur",
        "tcp-request connection track-sc0 src",
        f"tcp-request connection reject if {{ sc0_conn_cur gt {max_connections} }}",
    )
    sections = {
        "frontend heads": (
            "mode tcp",
            bind,
            "no log",
            'log-format "%B %ts"',  # the default one is for HTTP alone
            f"timeout client {INNER_SECONDS}s",
            "no option splice-request",
            "no option splice-response",
            *(limited if max_connections else ()),
            f"tcp-request inspect-delay {seconds}s",
            "tcp-request content set-var(sess.head) req.payload(0,0),lua.head",
            "tcp-request content use-service lua.problem_400 if { var(sess.head) -m str bad }",
            "tcp-request content accept if HTTP",  # until it is known, no further rule is looked at
            f"tcp-request content use-service lua.problem_431 if {{ req.len gt {max_head_bytes} }}",
            # What is whole and still not known to be HTTP: the script does not see what comes after a NUL.
            "tcp-request content use-service lua.problem_400 if { req.payload(0,0),hex -m sub 0D0A0D0A 0A0A }",
            "tcp-request content use-service lua.problem_408",
            "default_backend http_of_heads",
        ),
        "backend http_of_heads": (
            "mode tcp",
            f"timeout server {INNER_SECONDS}s",
            "no option splice-request",
            "no option splice-response",
            f'server http "unix@{folder / SOCKET}" send-proxy-v2',
        ),
        "frontend http_frontend": (f'bind "unix@{folder / SOCKET}" mode 600 accept-proxy',),
    }
    return "".join(f"{name}\n" + "".join(f"    {line}\n" for line in lines) for name, lines in sections.items())
