"""What the headers of a request say of it: its name, and how long its caller waits."""

from __future__ import annotations

import math
import re
import uuid
from dataclasses import dataclass
from typing import Annotated

from fastapi import Header, Response

from remora.contracts.errors import BadRequest

REQUEST_ID = re.compile(r"[\x21-\x7e]{1,128}")
TIMEOUT = "X-Request-Timeout-Ms"


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
            str | None, Header(description="after which the best slate there is by then is the answer", examples=["80"])
        ] = None,
    ) -> Arrival:
        """Read the headers; an id that cannot be used is replaced. BadRequest when the timeout is not positive."""
        chosen = x_request_id if REQUEST_ID.fullmatch(x_request_id) else str(uuid.uuid4())
        response.headers["X-Request-Id"] = chosen
        return cls(chosen, None if x_request_timeout_ms is None else _milliseconds(x_request_timeout_ms))


def _milliseconds(given: str) -> float:
    try:
        found = float(given)
    except ValueError:
        found = math.nan
    if not (math.isfinite(found) and found > 0):
        raise BadRequest(f"{TIMEOUT} is '{given[:40]}'; it must be a positive number of milliseconds, such as 150.")
    return found
