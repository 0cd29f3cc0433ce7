"""From a request to its query: headers, time limits, and ids as rows of one loaded bundle."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Header
from pydantic import Field, TypeAdapter, ValidationError

from remora.core.errors import BadRequest, NotFound
from remora.pipeline import Query
from remora.pipeline.deadline import Deadline
from remora.serving.loaded_bundle import LoadedBundle
from remora.serving.schemas import SEED, RecommendRequest
from remora.settings.serving import ServingSettings

REQUEST_ID = re.compile(r"[\x21-\x7e]{1,128}")
TIMEOUT = "X-Request-Timeout-Ms"

MILLISECONDS = TypeAdapter(Annotated[float, Field(gt=0, allow_inf_nan=False)])

NOT_GIVEN: Any = None
"""A type of number or None would be named in every complaint about a number."""


@dataclass(frozen=True)
class RequestContext:
    """What the headers of a request say of it. ``timeout_ms`` is None where the caller leaves it to the server."""

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

    def within_ms(self, limits: ServingSettings) -> float:
        """How long the caller waits, or is taken to."""
        return min(self.timeout_ms or limits.timeout_ms, limits.max_timeout_ms)


def usable(request_id: str) -> str:
    """The id where it is printable and short, else one of our own."""
    return request_id if REQUEST_ID.fullmatch(request_id) else str(uuid.uuid4())


def to_query(
    loaded: LoadedBundle, request: RecommendRequest, context: RequestContext, limits: ServingSettings
) -> Query:
    """The query of a request, not hydrated yet; its deadlines are fractions, from now on, of the request's time.

    BadRequest for more items than ``limits`` allow, for a surface that there is not, and for one that needs an item and
    is given none; NotFound for an item that the catalogue does not have.
    """
    if request.n > limits.max_items:
        raise BadRequest(f"n is {request.n}; this server gives at most {limits.max_items} items.")
    seed, seconds = request.context.get(SEED), context.within_ms(limits) / 1e3
    check_surface(loaded, request.surface, with_item=isinstance(seed, str))
    return Query(
        request_id=context.request_id,
        surface=request.surface,
        n=request.n,
        instant=loaded.context.instant(),
        user_id=request.user_id,
        seed_item=None if seed is None else item_row(loaded, str(seed)),
        context=request.context,
        exclude=loaded.context.vocabulary.rows(request.exclude),
        retrieval_deadline=Deadline.after(seconds * limits.retrieval_deadline_fraction),
        ranking_deadline=Deadline.after(seconds * limits.ranking_deadline_fraction),
    )


def check_surface(loaded: LoadedBundle, surface: str, *, with_item: bool) -> None:
    """BadRequest for a surface that the bundle does not have, and for one that needs an item where none is given."""
    if surface not in loaded.surfaces:
        raise BadRequest(f"There is no surface '{surface}'. There are: {', '.join(loaded.surfaces)}.")
    if loaded.context.settings.surfaces[surface].needs_item and not with_item:
        raise BadRequest(f"The surface {surface} needs context.{SEED}, the item that the page is about.")


def item_row(loaded: LoadedBundle, item_id: str) -> int:
    """NotFound for an item that the catalogue does not have."""
    row = loaded.context.vocabulary.row(item_id)
    if row is None:
        raise NotFound("item", item_id, f"The catalogue is that of bundle {loaded.bundle}.")
    return row
