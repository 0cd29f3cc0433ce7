"""Problem documents (RFC 9457) of what HAProxy answers by itself, in the words of its configuration."""

from __future__ import annotations

import json
from http import HTTPStatus
from pathlib import Path

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 2

FOLDER = "problems"
ERRORFILES = (400, 403, 404, 405, 408, 413, 429, 500, 502, 503, 504)
"""Statuses that HAProxy may answer with by itself."""

DETAILS = {
    400: "The request is not HTTP that can be read.",
    403: "The request is refused.",
    404: "There is nothing at this path. The API is described at /docs.",
    405: "The method is not one that is answered here.",
    408: "The request did not arrive whole in time.",
    413: "The body is larger than is accepted.",
    414: "The path and its parameters are longer than is accepted.",
    421: "The host of the request is not one that is answered here.",
    429: "There are too many requests or connections from this address.",
    431: "The headers are larger than are accepted.",
    500: "The server has a bug; its log has the trace.",
    503: "The server cannot answer now. Try again.",
}
KINDS = {500: "internal-error", 503: "unavailable"}


def document(status: int, detail: str | None = None) -> str:
    """The document of a status, as JSON on one line."""
    phrase = HTTPStatus(status).phrase
    kind = KINDS.get(status, phrase.lower().replace(" ", "-"))
    problem = {"type": f"urn:remora:problem:{kind}", "title": phrase, "status": status}
    return json.dumps({**problem, "detail": detail or DETAILS[status], "instance": "", "errors": []})


def answer(status: int, detail: str | None = None) -> str:
    """Arguments of HAProxy's ``http-request return`` and ``http-response return``."""
    headers = {405: ' hdr Allow "GET, POST"', 503: f' hdr Retry-After "{RETRY_AFTER_SECONDS}"'}.get(status, "")
    return f"status {status} content-type {MEDIA_TYPE} string '{document(status, detail)}'{headers}"


def message(status: int) -> str:
    """A whole HTTP message for an ``errorfile``, which HAProxy sends where it has no request to apply rules to."""
    body = document(status)
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", f"Content-Type: {MEDIA_TYPE}"]
    if status == 503:
        lines.append(f"Retry-After: {RETRY_AFTER_SECONDS}")
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "Connection: close", "", body])


def write(beside: Path) -> None:
    """A file with the message of each status, in :data:`FOLDER`; what Ray turns into 500 is a 503 that says when to try
    again, for every request of the API may be repeated."""
    folder = beside / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    for status in (*ERRORFILES, 431):
        text = message(503 if status in (502, 504) else status)
        (folder / f"{status}.http").write_text(text, newline="")
