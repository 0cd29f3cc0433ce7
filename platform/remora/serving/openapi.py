"""The API's OpenAPI document, with the surfaces that are served."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from typing import Any

from fastapi import FastAPI

from remora.serving.schemas import ANY, OF_SURFACES, SEED, SEEDED

NeedItem = Mapping[str, bool]
"""Surfaces by name: does a request for one have to name an item?"""


def install(app: FastAPI, surfaces: Callable[[], NeedItem]) -> None:
    """Let ``app.openapi`` say which surfaces there are, each time it is asked: a new bundle may bring others."""
    plain = app.openapi

    def document() -> dict[str, Any]:
        return with_surfaces(plain(), surfaces())

    app.openapi = document  # type: ignore[method-assign]


def with_surfaces(document: dict[str, Any], surfaces: NeedItem) -> dict[str, Any]:
    """A copy of an OpenAPI document in which the surfaces stand: their names wherever one is given, and what the bodies
    of requests for those that need an item must have."""
    written = deepcopy(document)
    seeded = [name for name, needs in surfaces.items() if needs]
    for schema in _marked(written):
        which = schema.pop(OF_SURFACES)
        if which == SEED:
            schema |= _demands(seeded)
        else:
            schema["enum"] = [name for name, needs in surfaces.items() if which == ANY or needs == (which == SEEDED)]
    return written


def _demands(seeded: list[str]) -> dict[str, Any]:
    """JSON Schema of what :func:`remora.serving.requests.to_query` demands of a request for a surface with an item."""
    if not seeded:
        return {}
    return {
        "if": {"properties": {"surface": {"enum": seeded}}, "required": ["surface"]},
        "then": {
            "properties": {"context": {"properties": {SEED: {"type": "string"}}, "required": [SEED]}},
            "required": ["context"],
        },
    }


def _marked(part: Any) -> Iterator[dict[str, Any]]:
    """Every schema that says something of surfaces."""
    if isinstance(part, dict):
        for value in list(part.values()):
            yield from _marked(value)
        if OF_SURFACES in part:
            yield part
    elif isinstance(part, list):
        for value in part:
            yield from _marked(value)
