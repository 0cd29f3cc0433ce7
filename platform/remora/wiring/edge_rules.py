"""What HAProxy does before a replica sees a request: Ray's configuration with limits, problem documents, quiet logs.

Ray's template has no time for headers or bodies, logs paths, and passes every method and header on. A request that is
slow, oversized or malformed ends here, so it takes no request slot of a replica.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from remora.wiring import edge_heads, edge_problems
from remora.wiring.edge_problems import MEDIA_TYPE, answer

PREFIX = "REMORA_EDGE_"
METHODS = "GET HEAD POST PUT PATCH DELETE OPTIONS TRACE"
"""Others are answered here: a metric has a label for the method, and a made-up one would be a new series each."""

RAY_HEADERS = (
    "x-request-timeout-seconds",
    "x-request-disconnect-disabled",
    "x-session-id",
    "serve[-_]multiplexed[-_]model[-_]id",
)
"""What Ray Serve obeys and Remora does not use: a client could switch limits off, or choose its replica, with them."""

REPLACED = (400, 404, 405, 408, 413, 500, 503)
"""Statuses that Serve, not the application, may answer as plain text."""


@dataclass(frozen=True, kw_only=True)
class EdgeLimits:
    """How large and how slow a request may be; ``max_connections`` are of one address, 0: no limit."""

    max_body_bytes: int = 65_536
    max_header_bytes: int = 16_384
    max_url_bytes: int = 8_192
    request_seconds: int = 5
    max_connections: int = 1_024

    @property
    def buffer_bytes(self) -> int:
        """In which HAProxy holds a request until it is whole; larger bodies than a mebibyte are not waited for."""
        return min(self.max_body_bytes, 1 << 20) + self.max_header_bytes + self.max_url_bytes + 8_192

    def environment(self) -> dict[str, str]:
        """For :meth:`read` in HAProxy's process."""
        return {f"{PREFIX}{name.upper()}": str(value) for name, value in vars(self).items()}

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> EdgeLimits:
        """From the environment; what is not there has its default."""
        names = {name: f"{PREFIX}{name.upper()}" for name in cls.__dataclass_fields__}
        return cls(**{name: int(environment[key]) for name, key in names.items() if key in environment})


def guarded(configuration: str, limits: EdgeLimits, folder: Path) -> str:
    """Ray's configuration with the edge's rules; ``folder`` has its socket and what :func:`edge_problems.write` wrote.

    Raises ValueError when the configuration is not as Ray 2.60 writes it, for then nothing would be guarded.
    """
    problems = folder / edge_problems.FOLDER
    # `option httplog` writes paths, which hold users' ids; the error files and times are replaced below.
    kept = re.sub(r"^\s*(option httplog|errorfile 50[234] .*|timeout http-request .*)\n", "", configuration, flags=re.M)
    kept = re.sub(r"^\s*timeout http-keep-alive .*\n", "", kept, flags=re.M)
    kept, defaults = re.subn(r"^defaults\n", lambda m: m[0] + _defaults(limits, problems), kept, flags=re.M)
    kept, frontends = re.subn(
        r"^frontend http_frontend\n\s*(bind .*)\n",
        lambda m: _heads(m[1], limits, folder) + _indented(_rules(limits)),
        kept,
        flags=re.M,
    )
    script = _indented([edge_heads.load(problems)])
    kept, globals_ = re.subn(r"^global\n", lambda m: m[0] + script, kept, flags=re.M)
    if (defaults, frontends, globals_) != (1, 1, 1):
        raise ValueError(
            f"HAProxy's configuration has {globals_} sections 'global', {defaults} 'defaults' and {frontends} "
            f"'frontend http_frontend' with an address, and should have one of each: this version of Ray writes it "
            f"differently from 2.60."
        )
    # Without a replica Ray's template asks a proxy that waits for one: four times as long as an answer may take. Of no
    # weight, it gets no request, and HAProxy answers 503 at once.
    kept = re.sub(r"^(\s*server \S+ \S+ (?:proto h2 )?check) backup$", r"\1 backup weight 0", kept, flags=re.M)
    # A HAProxy that is started again has not heard of the application yet: every path is unknown then.
    status = 404 if re.search(r"^\s*acl is_\S+ path_beg ", kept, re.M) else 503
    unrouted = f"    http-request return {answer(status)}"
    return re.sub(r"^(backend default_backend\n).*$", lambda m: m[1] + unrouted, kept, flags=re.M)


def _defaults(limits: EdgeLimits, problems: Path) -> str:
    lines = [
        f"timeout http-request {limits.request_seconds}s",
        "timeout http-keep-alive 30s",
        # No path, query or header is in a line: they hold users' ids.
        'log-format "%HM %ST %B %Ta %ts"',
        *(f'errorfile {status} "{problems / f"{status}.http"}"' for status in edge_problems.ERRORFILES),
    ]
    return _indented(lines)


def _heads(bind: str, limits: EdgeLimits, folder: Path) -> str:
    return edge_heads.front(
        bind,
        folder,
        seconds=limits.request_seconds,
        max_head_bytes=limits.max_header_bytes + limits.max_url_bytes,
        max_connections=limits.max_connections,
    )


def _rules(limits: EdgeLimits) -> list[str]:
    body, header, url = limits.max_body_bytes, limits.max_header_bytes, limits.max_url_bytes
    too_large = answer(413, f"The body is larger than {body:,} bytes.")
    return [
        f"acl edge_method method {METHODS}",
        "http-request set-log-level silent if !edge_method",
        f"http-request return {answer(405)} if !edge_method",
        f"http-request return {answer(414)} if {{ url,length gt {url} }}",
        f"http-request return {answer(431)} if {{ req.hdrs,length gt {header} }}",
        rf"http-request return {answer(400, 'A header has a byte that is not printable ASCII.')} "
        r"if { req.hdrs -m reg '[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\xff]' }",
        f"http-request return {too_large} if {{ req.hdr_val(content-length) gt {body} }}",
        f"http-request wait-for-body time {limits.request_seconds}s at-least {body + 1}",
        f"http-request return {too_large} if {{ req.body_size gt {body} }}",
        *(f"http-request del-header ^{name}$ -m reg" for name in RAY_HEADERS),
        r"http-request del-header x-request-id if { req.fhdr_cnt(x-request-id) gt 1 } "
        r"or !{ req.fhdr(x-request-id) -m reg '^[\x21-\x7e]{1,128}$' }",
        *(
            f"http-response return {answer(status)} "
            f"if {{ status {status} }} !{{ res.hdr(content-type) -m beg {MEDIA_TYPE} }}"
            for status in REPLACED
        ),
    ]


def _indented(lines: list[str]) -> str:
    return "".join(f"    {line}\n" for line in lines)
