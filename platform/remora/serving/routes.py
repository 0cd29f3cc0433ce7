"""The HTTP API: a FastAPI application in front of the bundle router."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import Depends, FastAPI, Path, Query, Request

from remora import __version__
from remora.events.intake import Intake
from remora.serving import docs_page, entity_routes, openapi, problems
from remora.serving.body_limit import BodyLimit
from remora.serving.entity_writes import EntityWrites
from remora.serving.event_schemas import MAX_VALUES, EventsRequest, EventsResponse
from remora.serving.explanation import Explanation
from remora.serving.path_ids import two_ids
from remora.serving.requests import RequestContext
from remora.serving.router import BundleRouter
from remora.serving.schemas import (
    ExplainParameters,
    ExplainRequest,
    Health,
    Id,
    RecommendParameters,
    RecommendRequest,
    SimilarParameters,
    SimilarQuery,
)
from remora.serving.strict_json import StrictRoute
from remora.surfaces.responses import RecommendResponse

FromHeaders = Annotated[RequestContext, Depends(RequestContext.of)]
UserPath = Annotated[Id, Path(examples=["196"])]
ItemPath = Annotated[Id, Path(examples=["50"])]
PartOfPath = Annotated[str, Path(examples=["196"], json_schema_extra={"minLength": 1, "maxLength": 256})]
"""Where the first of two ids ends is not known yet."""


class EventsRoute(StrictRoute):
    """A route whose bodies may have a thousand events."""

    most_values = MAX_VALUES


def application(router: BundleRouter, intake: Intake | None = None, entities: EntityWrites | None = None) -> FastAPI:
    """The API's routes, each one call of the router, or of what takes events, items and users where they are taken."""
    app = FastAPI(
        title="Remora",
        version=__version__,
        description="Recommendations, in order, with what happened.",
        # FastAPI's pages load scripts from a CDN; :mod:`remora.serving.docs_page` loads nothing.
        docs_url=None,
        redoc_url=None,
        # An id may end in a slash.
        redirect_slashes=False,
    )
    app.router.route_class = StrictRoute
    app.add_middleware(BodyLimit, most_bytes=router.limits.max_body_bytes)
    problems.install(app)
    openapi.install(app, router.surfaces, None if entities is None else entities.contract)
    docs_page.install(app)

    @app.post("/v1/recommend", responses=problems.RESPONSES)
    async def recommend(request: RecommendRequest, context: FromHeaders) -> RecommendResponse:
        """A slate for a user; an unknown user gets one that is not personal, and `degraded` says so."""
        return await router.recommend(request, context)

    @app.get("/v1/recommend/{user_id:path}", responses=problems.RESPONSES)
    async def recommend_to(
        user_id: UserPath, parameters: Annotated[RecommendParameters, Query()], context: FromHeaders
    ) -> RecommendResponse:
        """The same, short to type; `/` in an id is `%2F` or stands as it is."""
        body = RecommendRequest(user_id=user_id, n=parameters.n, surface=parameters.surface)
        return await router.recommend(body, context)

    @app.get("/v1/similar", responses=problems.RESPONSES)
    async def similar_by_query(parameters: Annotated[SimilarQuery, Query()], context: FromHeaders) -> RecommendResponse:
        """Items similar to one."""
        return await router.similar(parameters.item_id, parameters, context)

    @app.get("/v1/similar/{item_id:path}", responses=problems.RESPONSES)
    async def similar(
        item_id: ItemPath, parameters: Annotated[SimilarParameters, Query()], context: FromHeaders
    ) -> RecommendResponse:
        """The same with the item in the path."""
        return await router.similar(item_id, parameters, context)

    @app.post("/v1/explain", responses=problems.RESPONSES)
    async def explain_request(request: ExplainRequest, context: FromHeaders) -> Explanation:
        """Why the slate of a request has an item, or which stage or rule kept it out; costs several times a request."""
        return await router.explain(request, context)

    @app.get("/v1/explain/{user_id:path}/{item_id:path}", responses=problems.RESPONSES)
    async def explain(
        request: Request,
        user_id: PartOfPath,
        item_id: PartOfPath,
        parameters: Annotated[ExplainParameters, Query()],
        context: FromHeaders,
    ) -> Explanation:
        """The same of a request without a context; `/` in an id is `%2F`."""
        user_id, item_id = two_ids(request, user_id, item_id)
        return await router.explain(parameters.request(user_id, item_id), context)

    if intake is not None:
        taken = intake.take

        async def events(request: EventsRequest) -> EventsResponse:
            """Take what users did; the answer comes once it is on the disk, with a verdict for each event."""
            return EventsResponse.of(await asyncio.wrap_future(taken(request.events)))

        app.router.add_api_route(
            "/v1/events", events, methods=["POST"], responses=problems.RESPONSES, route_class_override=EventsRoute
        )

    if entities is not None:
        entity_routes.install(app, entities)

    @app.head("/healthz", include_in_schema=False)
    @app.get("/healthz")
    async def healthy() -> Health:
        """Does the process answer?"""
        return router.health("ok")

    @app.head("/readyz", include_in_schema=False)
    @app.get("/readyz", responses={503: problems.RESPONSES[503]})
    async def ready() -> Health:
        """Has a request gone along the whole way?"""
        return await router.ready()

    return app
