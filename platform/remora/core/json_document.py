"""JSON documents, read so that no content of a file can bring down what reads it.

A document of a home is damaged when it is empty, cut, of other content or of another shape. It then raises one error,
which names the file, the reason in one line, and what to do.
"""

from __future__ import annotations

import functools
import json
from typing import Any, TypeVar, cast

from pydantic import TypeAdapter, ValidationError

from remora.core.errors import Refused, StorageError, UnreadableInput
from remora.core.home import Home
from remora.core.printable import one_line

MOST_DEPTH = 32
"""Levels of lists and objects within each other; ours have six."""

Kind = TypeVar("Kind")


def read_document(home: Home, path: str, kind: type[Kind], hint: str) -> Kind:
    """The document at ``path`` of a home as ``kind``, a model or any type that pydantic knows.

    FileNotFoundError without the file, UnreadableInput with ``hint`` where it is damaged, StorageError where the store
    fails.
    """
    try:
        content = home.read_bytes(path)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise StorageError(f"Cannot read '{home.at(path)}': {one_line(str(error))}.") from error
    return parse_document(content, home.at(path), kind, hint)


def parse_document(content: bytes, where: str, kind: type[Kind], hint: str) -> Kind:
    """The same of a file's content; ``where`` names the file.

    >>> parse_document(b'[1, 2]', "x.json", tuple[int, ...], "Make it again.")
    (1, 2)
    """
    try:
        value: Kind = _adapter(cast("Any", kind)).validate_json(content)
    except ValidationError as error:
        raise UnreadableInput(where, mistakes(error, most=1), hint) from error
    return value


def parse_json(content: bytes, where: str, hint: str = "Get it again.") -> Any:
    """The document that others wrote in ``content``; ``where`` names the file in the error.

    Refused for what is no JSON, is nested deeper than :data:`MOST_DEPTH`, or holds a number that is not finite, or text
    that cannot be encoded (a lone surrogate).

    >>> parse_json(b'{"a": [1, 2]}', "x.json")
    {'a': [1, 2]}
    """
    try:
        value = json.loads(content)
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError) as error:
        raise Refused(f"'{where}' is no JSON document that can be read: {_why(error)}. {hint}") from error
    if _depth(value) > MOST_DEPTH:
        raise Refused(f"'{where}' is nested more than {MOST_DEPTH} levels deep, which no file of Remora is. {hint}")
    return value


def mistakes(error: ValidationError, most: int = 10) -> str:
    """The first mistakes with their places, in one line, and how many more there are."""
    listed = [_mistake(one) for one in error.errors(include_url=False, include_input=False)[:most]]
    more = error.error_count() - len(listed)
    return "; ".join(listed) + (f"; and {more} more" if more > 0 else "")


def _mistake(one: Any) -> str:
    place = one_line(".".join(map(str, one["loc"])))
    return f"{place} ({one_line(one['msg'])})" if place else one_line(one["msg"])


@functools.cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _why(error: Exception) -> str:
    return "it is nested too deeply" if isinstance(error, RecursionError) else one_line(str(error))


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
