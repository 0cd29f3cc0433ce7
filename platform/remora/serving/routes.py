"""The HTTP API over a desk: a FastAPI application."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, FastAPI, Path, Query, Request

from remora import __version__
from remora.serving import docs_page, problems
from remora.serving.arrival import Arrival
from remora.serving.body_limit import BodyLimit
from remora.serving.messages import (
    ExplainParameters,
    ExplainRequest,
    Health,
    Id,
    RecommendParameters,
    RecommendRequest,
    SimilarParameters,
    SimilarQuery,
)
from remora.serving.path_ids import two_ids
from remora.serving.reception import Reception
from remora.serving.strict_json import StrictRoute
from remora.serving.why import Why
from remora.surfaces.responses import RecommendResponse

Arriving = Annotated[Arrival, Depends(Arrival.of)]
UserPath = Annotated[Id, Path(examples=["196"])]
ItemPath = Annotated[Id, Path(examples=["50"])]
PartOfPath = Annotated[str, Path(examples=["196"], json_schema_extra={"minLength": 1, "maxLength": 256})]
"""Where the first of two ids ends is not known yet."""


def application(reception: Reception) -> FastAPI:
    """The API's routes, each one call of the reception."""
    app = FastAPI(
        title="Remora",
        version=__version__,
        description="Recommendations, in order, with what happened.",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.router.route_class = StrictRoute
    app.add_middleware(BodyLimit, most_bytes=reception.limits.most_body_bytes)
    problems.install(app)
    docs_page.install(app)

    @app.post("/v1/recommend", responses=problems.RESPONSES)
    async def recommend(asked: RecommendRequest, arrival: Arriving) -> RecommendResponse:
        """A slate for a user; an unknown user gets one that is not personal, and `degraded` says so."""
        return await reception.recommend(asked, arrival)

    @app.get("/v1/recommend/{user_id:path}", responses=problems.RESPONSES)
    async def recommend_to(
        user_id: UserPath, asked: Annotated[RecommendParameters, Query()], arrival: Arriving
    ) -> RecommendResponse:
        """The same, short to type; `/` in an id is `%2F` or stands as it is."""
        body = RecommendRequest(user_id=user_id, n=asked.n, surface=asked.surface)
        return await reception.recommend(body, arrival)

    @app.get("/v1/similar", responses=problems.RESPONSES)
    async def similar_by_query(asked: Annotated[SimilarQuery, Query()], arrival: Arriving) -> RecommendResponse:
        """Items similar to one."""
        return await reception.similar(asked.item_id, asked, arrival)

    @app.get("/v1/similar/{item_id:path}", responses=problems.RESPONSES)
    async def similar(
        item_id: ItemPath, asked: Annotated[SimilarParameters, Query()], arrival: Arriving
    ) -> RecommendResponse:
        """The same with the item in the path."""
        return await reception.similar(item_id, asked, arrival)

    @app.post("/v1/explain", responses=problems.RESPONSES)
    async def explain_request(asked: ExplainRequest, arrival: Arriving) -> Why:
        """Why the slate of a request has an item, or which stage or rule kept it out; costs several times a request."""
        return await reception.explain(asked, arrival)

    @app.get("/v1/explain/{user_id:path}/{item_id:path}", responses=problems.RESPONSES)
    async def explain(
        request: Request,
        user_id: PartOfPath,
        item_id: PartOfPath,
        asked: Annotated[ExplainParameters, Query()],
        arrival: Arriving,
    ) -> Why:
        """The same of a request without a context; `/` in an id is `%2F`."""
        user_id, item_id = two_ids(request, user_id, item_id)
        return await reception.explain(asked.request(user_id, item_id), arrival)

    @app.get("/healthz")
    async def healthy() -> Health:
        """Does the process answer?"""
        return reception.health("ok")

    @app.get("/readyz", responses={503: problems.RESPONSES[503]})
    async def ready() -> Health:
        """Has a request gone along the whole way?"""
        return await reception.ready()

    return app
