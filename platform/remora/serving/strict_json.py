"""Bodies are JSON as RFC 8259 and RFC 7493 (I-JSON) have it: one value a name, and text that can be encoded.

A parameter of the query has one value too, unless it is a list.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute

MOST_MEMBERS = 256
"""Of one object: each unknown name costs a look, and the contract has a few names and 64 entries of context."""

MOST_VALUES = 2_048
"""Of a text: each becomes an object before anything can be said of it, and the contract has a thousand excluded ids."""

LISTS = frozenset({"exclude"})
"""Parameters that a query may hold several times."""

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')


def loads(body: bytes, most_values: int = MOST_VALUES) -> Any:
    """The value of the text, which may be of ``most_values``.

    Raises JSONDecodeError where the text has too many values, a name stands twice in an object, an object has too many
    members, text holds half a surrogate pair, or brackets are too deep.
    """
    try:
        text = body.decode()
        # Commas and brackets within strings are counted at first; only a text that may be too large is looked at
        # closely.
        if _most_values(text) > most_values and _most_values(_STRING.sub("", text)) > most_values:
            raise ValueError(f"it has more than {most_values:,} values")
        value = json.loads(text, object_pairs_hook=_members)
        # Half a surrogate pair can only come as an escape, since UTF-8 has none: other texts are spared the pass.
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeDecodeError as error:
        raise json.JSONDecodeError(f"it is not UTF-8 at byte {error.start}", "", error.start) from error
    except UnicodeEncodeError as error:
        raise json.JSONDecodeError("text holds half a surrogate pair", "", 0) from error
    except RecursionError as error:
        raise json.JSONDecodeError("brackets are too deep", "", 0) from error
    except json.JSONDecodeError:
        raise
    except ValueError as error:  # what the hooks below refuse, and integers of thousands of digits
        raise json.JSONDecodeError(str(error)[:200], "", 0) from error
    return value


def _most_values(text: str) -> int:
    """Of how many values the text may be: each but the first follows a comma or an opening bracket."""
    return 1 + text.count(",") + text.count("[") + text.count("{")


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(pairs) > MOST_MEMBERS:
        raise ValueError(f"an object has {len(pairs):,} members, and may have {MOST_MEMBERS}")
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("a name stands twice in an object")
    return members


def _check_query(request: Request) -> None:
    counts = Counter(name for name, _ in request.query_params.multi_items() if name not in LISTS)
    if twice := [name for name, count in counts.items() if count > 1]:
        said = "stands several times in the query, and has one value"
        raise RequestValidationError([{"type": "repeated", "loc": ("query", name), "msg": said} for name in twice])


class StrictRequest(Request):
    """A request whose body is read by :func:`loads`."""

    most_values = MOST_VALUES

    async def json(self) -> Any:
        """The body's value, read once."""
        if not hasattr(self, "_strict"):
            self._strict = loads(await self.body(), self.most_values)
        return self._strict


class StrictRoute(APIRoute):
    """A route whose requests are strict; a body may be of ``most_values``."""

    most_values = MOST_VALUES

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's handler before a strict request."""
        handle = super().get_route_handler()

        async def strict(request: Request) -> Response:
            _check_query(request)
            read = StrictRequest(request.scope, request.receive)
            read.most_values = self.most_values
            return await handle(read)

        return strict
