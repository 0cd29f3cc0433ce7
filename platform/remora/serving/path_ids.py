"""Two ids in a path: any text, percent-encoded, slashes too."""

from __future__ import annotations

from urllib.parse import unquote

from fastapi import Request


def two_ids(request: Request, one: str, other: str) -> tuple[str, str]:
    """The ids at the end of a path as the client wrote them; ``one`` and ``other`` are how the route has split it.

    A server decodes `%2F` before a route sees the path, and then cannot tell it from the slash between the ids. The
    path as it was sent can; where something on the way has decoded it, the first slash divides the ids.
    """
    whole = f"{one}/{other}"
    sent = request.scope.get("raw_path", b"").decode("ascii", "replace")
    ids = tuple(map(unquote, sent.split("/")[-2:]))
    if "/".join(ids) == whole:
        return ids[0], ids[1]
    first, _, rest = whole.partition("/")
    return first, rest
