"""JSON that others wrote, read so that no document can bring down what reads it."""

from __future__ import annotations

import json
from typing import Any

from remora.contracts.errors import Refused

MOST_DEPTH = 32
"""Levels of lists and objects within each other; ours have six."""


def parse_json(content: bytes, where: str) -> Any:
    """The document in ``content``; ``where`` names the file in the error.

    Refused for what is no JSON, is nested deeper than :data:`MOST_DEPTH`, or holds text that cannot be encoded (a lone
    surrogate).

    >>> parse_json(b'{"a": [1, 2]}', "x.json")
    {'a': [1, 2]}
    """
    try:
        value = json.loads(content)
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise Refused(f"'{where}' is no JSON document that can be read: {_why(error)}. Get it again.") from error
    if _depth(value) > MOST_DEPTH:
        raise Refused(f"'{where}' is nested more than {MOST_DEPTH} levels deep, which no file of Remora is.")
    return value


def _why(error: Exception) -> str:
    return "it is nested too deeply" if isinstance(error, RecursionError) else str(error)


def _depth(value: Any) -> int:
    """Levels of lists and objects, counted without recursion."""
    deepest, pending = 0, [(value, 0)]
    while pending:
        one, above = pending.pop()
        inside = one.values() if isinstance(one, dict) else one if isinstance(one, list) else None
        if inside is not None:
            deepest = max(deepest, above + 1)
            pending.extend((each, above + 1) for each in inside)
    return deepest
