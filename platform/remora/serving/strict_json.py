"""Bodies are strict JSON (:mod:`remora.core.strict_json`); a parameter of the query has one value, but for lists."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute

from remora.core.strict_json import MOST_VALUES, loads

LISTS = frozenset({"exclude"})
"""Parameters that a query may hold several times."""


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
