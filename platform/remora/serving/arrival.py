"""What the headers of a request say of it: its name, and how long its caller waits."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Header, Response

REQUEST_ID = re.compile(r"[\x21-\x7e]{1,128}")
TIMEOUT = "X-Request-Timeout-Ms"

NOT_GIVEN: Any = None
"""A type of number or None would be named in every complaint about a number."""


@dataclass(frozen=True)
class Arrival:
    """``timeout_ms`` is None where the caller leaves it to the server."""

    request_id: str
    timeout_ms: float | None = None

    @classmethod
    def of(
        cls,
        response: Response,
        x_request_id: Annotated[str, Header(description="taken over where printable and short, and sent back")] = "",
        x_request_timeout_ms: Annotated[
            float,
            Header(
                gt=0,
                allow_inf_nan=False,
                description="after which the best slate there is by then is the answer",
                examples=[80],
            ),
        ] = NOT_GIVEN,
    ) -> Arrival:
        """Read the headers; an id that cannot be used is replaced."""
        chosen = x_request_id if REQUEST_ID.fullmatch(x_request_id) else str(uuid.uuid4())
        response.headers["X-Request-Id"] = chosen
        return cls(chosen, x_request_timeout_ms)
