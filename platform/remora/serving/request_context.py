"""What the headers of a request say of it: its name, and how long its caller waits."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Header
from pydantic import Field, TypeAdapter, ValidationError

from remora.contracts.errors import BadRequest

REQUEST_ID = re.compile(r"[\x21-\x7e]{1,128}")
TIMEOUT = "X-Request-Timeout-Ms"

MILLISECONDS = TypeAdapter(Annotated[float, Field(gt=0, allow_inf_nan=False)])

NOT_GIVEN: Any = None
"""A type of number or None would be named in every complaint about a number."""


@dataclass(frozen=True)
class RequestContext:
    """``timeout_ms`` is None where the caller leaves it to the server."""

    request_id: str
    timeout_ms: float | None = None

    @classmethod
    async def of(
        cls,
        x_request_id: Annotated[str, Header(description="used where printable and short, and sent back")] = "",
        x_request_timeout_ms: Annotated[
            float,
            Header(
                gt=0,
                allow_inf_nan=False,
                description="after which the best slate there is by then is the answer",
                examples=[80],
            ),
        ] = NOT_GIVEN,
    ) -> RequestContext:
        """Read the headers; an id that cannot be used is replaced. FastAPI would give a plain function a thread.

        Serve makes an id where none exists, and sends it back: the answer has that header once. HAProxy takes
        unusable ids away before Serve sees them.
        """
        return cls(usable(x_request_id), x_request_timeout_ms)

    @classmethod
    def read(cls, request_id: str, timeout_ms: str | None) -> RequestContext:
        """The same from a protocol that is not HTTP; BadRequest for an invalid time."""
        try:
            return cls(usable(request_id), None if timeout_ms is None else MILLISECONDS.validate_python(timeout_ms))
        except ValidationError as error:
            said = error.errors()[0]["msg"]
            raise BadRequest(f"{TIMEOUT.lower()} is '{timeout_ms[:80] if timeout_ms else ''}': {said}.") from error


def usable(request_id: str) -> str:
    """The id where it is printable and short, else one of our own."""
    return request_id if REQUEST_ID.fullmatch(request_id) else str(uuid.uuid4())
