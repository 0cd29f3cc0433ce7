"""The API's OpenAPI document, with the surfaces that are served."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from typing import Any

from fastapi import FastAPI

from remora.core.errors import NotReady, StorageError
from remora.events.entity_contract import OF_TYPES, EntityContract
from remora.events.entity_update import EntityKind
from remora.serving.schemas import ANY, OF_SURFACES, SEED, SEEDED

NeedItem = Mapping[str, bool]
"""Surfaces by name: does a request for one have to name an item?"""


OF_COLUMNS = "x-columns"
"""Stands in the schemas of items and users that are sent, where the columns of the lake are written that serves."""


def install(
    app: FastAPI,
    surfaces: Callable[[], NeedItem],
    contract: Callable[[EntityKind], EntityContract] | None = None,
) -> None:
    """Let ``app.openapi`` say which surfaces there are, and which columns items and users have, each time it is asked:
    a new bundle may bring others."""
    plain = app.openapi

    def document() -> dict[str, Any]:
        return with_columns(with_surfaces(plain(), surfaces()), contract)

    app.openapi = document  # type: ignore[method-assign]


def with_surfaces(document: dict[str, Any], surfaces: NeedItem) -> dict[str, Any]:
    """A copy of an OpenAPI document in which the surfaces stand: their names wherever one is given, and what the bodies
    of requests for those that need an item must have."""
    written = deepcopy(document)
    seeded = [name for name, needs in surfaces.items() if needs]
    for schema in _marked(written, OF_SURFACES):
        which = schema.pop(OF_SURFACES)
        if which == SEED:
            schema |= _demands(seeded)
        else:
            schema["enum"] = [name for name, needs in surfaces.items() if which == ANY or needs == (which == SEEDED)]
    return written


def with_columns(document: dict[str, Any], contract: Callable[[EntityKind], EntityContract] | None) -> dict[str, Any]:
    """The document in which the columns stand; any object where no lake serves yet."""
    for schema in _marked(document, OF_COLUMNS):
        kind = schema.pop(OF_COLUMNS)
        if contract is None:
            continue
        try:
            types = contract(kind).types
        except (NotReady, StorageError):
            continue
        columns = {name: {"anyOf": [OF_TYPES[type], {"type": "null"}]} for name, type in types.items()}
        schema |= {"properties": columns, "additionalProperties": False}
    return document


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


def _marked(part: Any, mark: str) -> Iterator[dict[str, Any]]:
    """Every schema that has the mark."""
    if isinstance(part, dict):
        for value in list(part.values()):
            yield from _marked(value, mark)
        if mark in part:
            yield part
    elif isinstance(part, list):
        for value in part:
            yield from _marked(value, mark)
