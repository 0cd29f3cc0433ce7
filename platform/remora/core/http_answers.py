"""What an endpoint answered, whatever it is that listens there: a proxy's page or another server's JSON is no bug."""

from __future__ import annotations

import math
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from remora.core.errors import BadRequest, NotReady

MAX_SHOWN = 500
MIN_WAIT_SECONDS = 1.0

Answer = TypeVar("Answer", bound=BaseModel)


class _Problem(BaseModel):
    detail: str


def answer_as(response: httpx.Response, model: type[Answer]) -> Answer:
    """The body as ``model``; NotReady for one that is something else, which an endpoint of Remora does not send."""
    try:
        return model.model_validate_json(response.content)
    except ValidationError as error:
        raise NotReady(
            f"{response.url.copy_with(query=None)} does not answer as Remora does: it says "
            f"'{response.text[:100]}'. Is it the endpoint's own URL?"
        ) from error


def detail_of(response: httpx.Response) -> str:
    """What a problem document says, or the beginning of any other answer."""
    if response.headers.get("content-type", "").startswith("application/problem+json"):
        with suppress(ValidationError):
            return _Problem.model_validate_json(response.content).detail
    return response.text[:MAX_SHOWN]


def seconds_to_wait(response: httpx.Response) -> float:
    """Of ``Retry-After``: seconds, or a date (RFC 9110). At least one second, also where it is absent or no such
    value."""
    said, seconds = response.headers.get("retry-after", ""), MIN_WAIT_SECONDS
    try:
        seconds = float(said)
    except ValueError:
        with suppress(ValueError, TypeError):  # TypeError: of a date without a zone
            seconds = (parsedate_to_datetime(said) - datetime.now(UTC)).total_seconds()
    return max(seconds, MIN_WAIT_SECONDS) if math.isfinite(seconds) else MIN_WAIT_SECONDS


def checked_url(url: str) -> str:
    """The URL of an endpoint without a slash at its end; BadRequest for what is no URL of HTTP."""
    try:
        found = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise BadRequest(f"'{url}' is no URL: {error}. Write http://HOST:PORT.") from error
    if found.scheme not in ("http", "https") or not found.host:
        raise BadRequest(f"'{url}' is no URL of an endpoint. Write http://HOST:PORT.")
    return url.rstrip("/")
