"""Errors as problem documents (RFC 9457): one shape for whatever goes wrong."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.routing import Match, Route

from remora.core.errors import BadRequest, NotFound, NotReady, Refused
from remora.events.entity_contract import UnfitColumns

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 2

logger = logging.getLogger(__name__)


MOST_MISTAKES, MOST_CHARACTERS = 10, 200
"""Of a document: an answer stays small however much is wrong with its request."""


class FieldError(BaseModel):
    """One place of a request that breaks the contract."""

    pointer: str = Field(description="JSON pointer into the body, or the name of a parameter")
    detail: str


class Problem(BaseModel):
    """An RFC 9457 problem document."""

    type: str = Field(description="names the kind of problem; stable")
    title: str
    status: int
    detail: str
    instance: str = Field(description="the path that was asked; empty where a proxy answered")
    errors: list[FieldError] = Field([], max_length=MOST_MISTAKES, description="the first mistakes of the request")


INVALID_JSON, INVALID_REQUEST = "invalid-json", "invalid-request"
UNAVAILABLE, INTERNAL_ERROR = "unavailable", "internal-error"

KINDS = {
    INVALID_JSON: (400, "the body is not JSON, or not as strict as RFC 7493 has it"),
    "forbidden": (403, "the operation is refused"),
    "not-found": (404, "an item or a path that does not exist"),
    "method-not-allowed": (405, "the path exists, and does not answer this method"),
    "request-timeout": (408, "the body did not arrive whole in five seconds"),
    "request-entity-too-large": (413, "the body is larger than serving.max_body_bytes"),
    "misdirected-request": (421, "the Host is not one that is answered here (serving.allowed_hosts)"),
    INVALID_REQUEST: (422, "a field breaks the contract; errors names the first ten"),
    INTERNAL_ERROR: (500, "a bug; the replica's log has the trace"),
    UNAVAILABLE: (503, "nothing can be answered now; try again after the seconds of Retry-After"),
}
"""The types of problems by the word that ends each: status, and what it means. Those that the framework raises have the
phrase of their status as the word."""

REFUSALS = ((NotFound, "not-found"), (BadRequest, INVALID_REQUEST), (Refused, "forbidden"))
"""First match wins."""


def _schema() -> dict[str, Any]:
    """The document's, complete in itself: OpenAPI resolves no ``$defs`` of a part."""
    schema = Problem.model_json_schema()
    schema["properties"]["errors"]["items"] = schema.pop("$defs")["FieldError"]
    return schema


RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"description": HTTPStatus(status).phrase, "content": {MEDIA_TYPE: {"schema": _schema()}}}
    for status in (400, 404, 408, 413, 414, 421, 422, 431, 503)
}
"""For the API's documentation."""


def install(app: FastAPI) -> None:
    """Make every error of the app a problem document."""
    app.add_exception_handler(RequestValidationError, _invalid)  # type: ignore[arg-type]
    app.add_exception_handler(HTTPException, _refused_by_the_framework)  # type: ignore[arg-type]
    app.add_exception_handler(Refused, _refused)  # type: ignore[arg-type]
    app.add_exception_handler(NotReady, _not_ready)
    app.add_exception_handler(Exception, _bug)


def document(
    request: Request,
    kind: str,
    detail: str,
    *,
    status: int | None = None,
    errors: Sequence[FieldError] = (),
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """A response with one problem document; ``kind`` ends its type, and has its status in ``KINDS`` or is given one."""
    status = status or KINDS[kind][0]
    problem = Problem(
        type=f"urn:remora:problem:{kind}",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=bounded(detail, MOST_CHARACTERS * 5),
        instance=bounded(request.url.path),
        errors=list(errors[:MOST_MISTAKES]),
    )
    return JSONResponse(problem.model_dump(), status, media_type=MEDIA_TYPE, headers=headers)


def bounded(text: str, most: int = MOST_CHARACTERS) -> str:
    """Text that can be encoded and is short; what is left out is counted."""
    kept = text if len(text) <= most else f"{text[:most]}… ({len(text) - most:,} more characters)"
    # Half a surrogate pair in a caller's text cannot be encoded: the answer itself would end in an error.
    return kept.encode("utf-8", "backslashreplace").decode()


async def _invalid(request: Request, error: RequestValidationError) -> JSONResponse:
    found = error.errors()
    if any(e["type"] == "json_invalid" for e in found):
        return document(request, INVALID_JSON, f"The body is not JSON: {found[0]['ctx']['error']}.")
    mistakes = [
        FieldError(pointer=bounded("/" + "/".join(map(str, e["loc"][1:]))), detail=bounded(e["msg"]))
        for e in found[:MOST_MISTAKES]
    ]
    listed = "; ".join(f"{m.pointer}: {m.detail}" for m in mistakes[:3])
    more = f" The first {len(mistakes)} of {len(found):,} mistakes are listed." if len(found) > 3 else ""
    detail = f"The request breaks the contract: {listed}.{more}"
    return document(request, INVALID_REQUEST, detail, errors=mistakes)


async def _refused(request: Request, error: Refused) -> JSONResponse:
    said = error.mistakes if isinstance(error, UnfitColumns) else {}
    mistakes = [FieldError(pointer=bounded(f"/{name}"), detail=bounded(why)) for name, why in said.items()]
    kind = next(kind for branch, kind in REFUSALS if isinstance(error, branch))
    return document(request, kind, str(error), errors=mistakes)


async def _refused_by_the_framework(request: Request, error: HTTPException) -> JSONResponse:
    kind = HTTPStatus(error.status_code).phrase.lower().replace(" ", "-")
    detail, headers = str(error.detail), error.headers
    if error.status_code == 404:
        detail = f"There is nothing at {request.url.path}. The API is described at /docs."
    if error.status_code == 405:
        detail, headers = f"{request.method} is not what {request.url.path} answers.", {"Allow": _methods(request)}
    return document(request, kind, detail, status=error.status_code, headers=headers)


def _methods(request: Request) -> str:
    """Of all routes of the path: the framework names those of the first one alone."""
    routes = [one for one in request.app.routes if isinstance(one, Route)]
    fitting = [one for one in routes if one.matches(request.scope)[0] != Match.NONE]
    return ", ".join(sorted({method for one in fitting for method in one.methods or ()}))


async def _not_ready(request: Request, error: Exception) -> JSONResponse:
    return document(request, UNAVAILABLE, str(error), headers={"Retry-After": str(RETRY_AFTER_SECONDS)})


async def _bug(request: Request, error: Exception) -> JSONResponse:
    # The pattern of the route: a path may hold a user's id.
    route = getattr(request.scope.get("route"), "path_format", "an unknown path")
    logger.error("%s %s failed", request.method, route, exc_info=error)
    return document(request, INTERNAL_ERROR, "The server has a bug; its log has the trace.")
