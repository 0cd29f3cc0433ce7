"""What goes over the wire: requests and responses, with examples for the API's documentation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.json_schema import SkipJsonSchema

from remora.core.errors import BadRequest
from remora.core.vocabulary import MAX_ID_CHARACTERS
from remora.settings.bounds import MOST_ITEMS

DEFAULT_N = 10
MOST_EXCLUDED = 1_000
MOST_CONTEXT = 64
MOST_EXCLUDED_IN_QUERY = 20
"""Of the longest ids so many are 61 KB when they are escaped, which the edge can still read whole to refuse it."""
MOST_LISTED = 10
"""Mistakes that a message names."""
DEFAULT_SURFACE = "home_feed"
SEED, SIMILAR = "seed_item_id", "similar_items"

Id = Annotated[
    str, Field(min_length=1, max_length=MAX_ID_CHARACTERS, description="an id as the data has it, always a string")
]
Truth = Annotated[bool, Field(strict=True)]
Number = Annotated[float, Field(allow_inf_nan=False, strict=True)]
Context = dict[str, str | Truth | Number]
Count = Annotated[
    int, Field(ge=1, le=MOST_ITEMS, description="number of items; the settings of the server may allow fewer")
]
ANY, SEEDLESS, SEEDED = "any", "seedless", "seeded"
OF_SURFACES = "x-surfaces"
"""Stands in the schemas where :mod:`remora.serving.openapi` writes which surfaces the bundle in production has."""


Surface = Annotated[str, Field(min_length=1, max_length=64, json_schema_extra={OF_SURFACES: ANY})]
SeedlessSurface = Annotated[str, Field(min_length=1, max_length=64, json_schema_extra={OF_SURFACES: SEEDLESS})]
SeededSurface = Annotated[str, Field(min_length=1, max_length=64, json_schema_extra={OF_SURFACES: SEEDED})]


def _whole(value: object) -> object:
    """JSON has one kind of number, and 14.0 is an integer to it."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _at_most(most: int) -> Callable[[object], object]:
    """Refuses a longer dict before its entries are looked at: each wrong one would be a mistake of its own."""

    def short(value: object) -> object:
        if isinstance(value, dict) and len(value) > most:
            raise ValueError(f"has {len(value):,} entries, and may have {most}")
        return value

    return short


class RequestModel(BaseModel):
    """A request; a field that nothing reads is a mistake of the caller."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Model = TypeVar("Model", bound=RequestModel)


class RecommendRequest(RequestModel):
    """Body of ``POST /v1/recommend``."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"user_id": "196", "n": 10, "surface": "home_feed", "exclude": ["242"]}],
            OF_SURFACES: SEED,
        }
    )

    user_id: Id | None = Field(description="null: an anonymous visitor")
    n: Annotated[Count, Field(strict=True), BeforeValidator(_whole)] = DEFAULT_N
    surface: Surface = DEFAULT_SURFACE
    context: Annotated[Context, BeforeValidator(_at_most(MOST_CONTEXT))] = Field(
        {}, max_length=MOST_CONTEXT, description="what is known of the moment"
    )
    exclude: list[Id] = Field([], max_length=MOST_EXCLUDED, description="not to be shown; unknown ids are ignored")


class ExplainRequest(RecommendRequest):
    """Body of ``POST /v1/explain``: the request that is asked about, and the item of it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"user_id": None, "n": 10, "context": {"country": "at"}, "item_id": "50"}],
            OF_SURFACES: SEED,
        }
    )

    item_id: Id


def surface_and_context(surface: str, seed: str | None, context: Context | None = None) -> dict[str, Any]:
    """Surface and context of a request; with a seed and no surface it is for the items that are similar to that."""
    given = dict(context or {})
    if seed is None:
        return {"surface": surface, "context": given}
    return {"surface": SIMILAR if surface == DEFAULT_SURFACE else surface, "context": given | {SEED: seed}}


def recommend_request(**fields: Any) -> RecommendRequest:
    """A request that did not come over HTTP; BadRequest as of :func:`validated`."""
    return validated(RecommendRequest, **fields)


def validated(kind: type[Model], **fields: Any) -> Model:
    """One of a kind of requests; BadRequest says which field breaks the contract, and how."""
    try:
        return kind(**fields)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        said = "; ".join(f"{'.'.join(map(str, e['loc']))[:200]}: {e['msg'][:200]}" for e in found[:MOST_LISTED])
        raise BadRequest(f"The request breaks the contract: {said}.") from error


class RecommendParameters(RequestModel):
    """Query string of ``GET /v1/recommend/{user_id}``."""

    n: Count = DEFAULT_N
    surface: SeedlessSurface = DEFAULT_SURFACE


class SimilarParameters(RequestModel):
    """Query string of ``GET /v1/similar/{item_id}``."""

    n: Count = DEFAULT_N
    surface: SeededSurface = SIMILAR
    user_id: Id | SkipJsonSchema[None] = Field(None, description="leave out what this user has seen")


class SimilarQuery(SimilarParameters):
    """Query string of ``GET /v1/similar``."""

    item_id: Id


class ExplainParameters(RecommendParameters):
    """Query string of ``GET /v1/explain/{user_id}/{item_id}``: the rest of the request that is asked about.

    A request with a context, or of an anonymous visitor, is asked about by :class:`ExplainRequest`.
    """

    seed_item_id: Id | SkipJsonSchema[None] = Field(
        None, description="asks about the items that are similar to this one"
    )
    exclude: list[Id] = Field(
        [], max_length=MOST_EXCLUDED_IN_QUERY, description="as in the request, which may have more of them"
    )

    def request(self, user_id: str | None, item_id: str, context: Context | None = None) -> ExplainRequest:
        """The whole question."""
        where = surface_and_context(self.surface, self.seed_item_id, context)
        return validated(ExplainRequest, user_id=user_id, item_id=item_id, n=self.n, exclude=self.exclude, **where)


class Health(BaseModel):
    """Body of the health and readiness checks."""

    status: str
    bundle: str
