"""The gRPC service: each call is checked by the model of the HTTP API, and answered by the same method."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar

from google.protobuf.empty_pb2 import Empty
from google.protobuf.json_format import MessageToDict, SerializeToJsonError
from google.protobuf.message import Message
from grpc import StatusCode
from pydantic import BaseModel, Field

from remora.core.errors import BadRequest, NotFound, NotReady, Refused
from remora.events.entity_update import EntityKind
from remora.events.intake import Intake
from remora.serving.entity_routes import EntityResponse
from remora.serving.entity_writes import EntityWrites
from remora.serving.event_schemas import EventsRequest, EventsResponse
from remora.serving.requests import RequestContext
from remora.serving.router import BundleRouter
from remora.serving.rpc import recommender_pb2 as wire
from remora.serving.rpc.as_message import as_message
from remora.serving.schemas import Context as RequestContextFields
from remora.serving.schemas import ExplainParameters, Id, RequestModel, SimilarParameters, recommend_request, validated

SERVICER = "remora.serving.rpc.recommender_pb2_grpc.add_RecommenderServicer_to_server"
"""What Serve's proxy imports, and with it the methods that it passes on."""

STATUSES = (
    (NotFound, StatusCode.NOT_FOUND),
    (BadRequest, StatusCode.INVALID_ARGUMENT),
    (Refused, StatusCode.PERMISSION_DENIED),
    (NotReady, StatusCode.UNAVAILABLE),
)
"""First match wins."""

NO_NUMBER = "a number is NaN or infinite, which JSON has no word for"

Answer = TypeVar("Answer", bound=Message)


class SimilarRequest(SimilarParameters):
    """With what stands in the path over HTTP."""

    item_id: Id


class ExplainMessage(ExplainParameters):
    """With what stands in the body over HTTP."""

    user_id: Id | None = None
    item_id: Id
    context: RequestContextFields = Field(default_factory=dict)


class DeleteMessage(RequestModel):
    """Of an item or user."""

    id: Id


class PutMessage(DeleteMessage):
    """With its columns."""

    columns: dict[str, Any] = Field(default_factory=dict)


logger = logging.getLogger(__name__)


class Context(Protocol):
    """What a method reads and writes of its call."""

    def invocation_metadata(self) -> list[tuple[str, str]]:
        """Of the caller."""

    def set_code(self, code: StatusCode) -> None:
        """Of the answer."""

    def set_details(self, details: str) -> None:
        """Why the call failed."""

    def set_trailing_metadata(self, metadata: list[tuple[str, str]]) -> None:
        """What is sent behind the answer."""


class Rpc:
    """The methods of ``remora.v1.Recommender``; Serve finds them by these names."""

    _router: BundleRouter
    _intake: Intake | None
    _entities: EntityWrites | None

    async def Recommend(self, request: wire.RecommendRequest, grpc_context: Context) -> wire.RecommendResponse:
        """A slate for a user."""

        async def answer(context: RequestContext) -> BaseModel:
            return await self._router.recommend(recommend_request(**{"user_id": None, **fields(request)}), context)

        return await answered(answer, wire.RecommendResponse(), grpc_context)

    async def Similar(self, request: wire.SimilarRequest, grpc_context: Context) -> wire.RecommendResponse:
        """Items similar to one."""

        async def answer(context: RequestContext) -> BaseModel:
            message = validated(SimilarRequest, **fields(request))
            return await self._router.similar(message.item_id, message, context)

        return await answered(answer, wire.RecommendResponse(), grpc_context)

    async def Explain(self, request: wire.ExplainRequest, grpc_context: Context) -> wire.Explanation:
        """Why a user's slate has an item, or has not."""

        async def answer(context: RequestContext) -> BaseModel:
            message = validated(ExplainMessage, **fields(request))
            return await self._router.explain(
                message.request(message.user_id, message.item_id, message.context), context
            )

        return await answered(answer, wire.Explanation(), grpc_context)

    async def SendEvents(self, request: wire.EventsRequest, grpc_context: Context) -> wire.EventsResponse:
        """Take what users did, durably."""

        async def answer(context: RequestContext) -> BaseModel:
            if self._intake is None:
                raise NotReady("This server takes no events: see events.intake and events.folder.")
            message = validated(EventsRequest, events=[_event(one) for one in request.events])
            return EventsResponse.of(await asyncio.wrap_future(self._intake.take(message.events)))

        return await answered(answer, wire.EventsResponse(), grpc_context)

    async def PutItem(self, request: wire.PutRequest, grpc_context: Context) -> wire.EntityResponse:
        """Add or replace an item, durably."""
        return await self._put("items", request, grpc_context)

    async def DeleteItem(self, request: wire.DeleteRequest, grpc_context: Context) -> wire.EntityResponse:
        """Never show an item again, until it is put again."""
        return await self._delete("items", request, grpc_context)

    async def PutUser(self, request: wire.PutRequest, grpc_context: Context) -> wire.EntityResponse:
        """Add a user, or replace the columns of one, durably."""
        return await self._put("users", request, grpc_context)

    async def DeleteUser(self, request: wire.DeleteRequest, grpc_context: Context) -> wire.EntityResponse:
        """Forget the columns of a user."""
        return await self._delete("users", request, grpc_context)

    async def _put(self, kind: EntityKind, request: wire.PutRequest, call: Context) -> wire.EntityResponse:
        async def answer(context: RequestContext) -> BaseModel:
            message = validated(PutMessage, **fields(request))
            return EntityResponse.of(await self._writes().put(kind, message.id, message.columns))

        return await answered(answer, wire.EntityResponse(), call)

    async def _delete(self, kind: EntityKind, request: wire.DeleteRequest, call: Context) -> wire.EntityResponse:
        async def answer(context: RequestContext) -> BaseModel:
            message = validated(DeleteMessage, **fields(request))
            return EntityResponse.of(await self._writes().delete(kind, message.id))

        return await answered(answer, wire.EntityResponse(), call)

    def _writes(self) -> EntityWrites:
        if self._entities is None:
            raise NotReady("This server takes no items and users: see events.intake, entities and folder.")
        return self._entities

    async def Ready(self, request: Empty, grpc_context: Context) -> wire.Health:
        """Has a request gone along the whole way?"""

        async def answer(context: RequestContext) -> BaseModel:
            return await self._router.ready()

        return await answered(answer, wire.Health(), grpc_context)


def fields(request: Message) -> dict[str, Any]:
    """What is set of a message, by the names of the contract; BadRequest for numbers that JSON has not."""
    try:
        return MessageToDict(request, preserving_proto_field_name=True)
    except SerializeToJsonError as error:
        raise BadRequest(NO_NUMBER) from error


def _event(message: wire.Event) -> Any:
    """The event's fields; text for one that has none in JSON, which the contract then refuses: it alone."""
    try:
        return fields(message)
    except BadRequest:
        return NO_NUMBER


async def answered(ask: Callable[[RequestContext], Awaitable[BaseModel]], answer: Answer, call: Context) -> Answer:
    """``answer`` filled with what ``ask`` gives for the call's context; an error becomes the call's status."""
    try:
        context = arrived(call)
        call.set_trailing_metadata([("x-request-id", context.request_id)])
        as_message(await ask(context), answer)
    except (Refused, NotReady) as error:
        call.set_code(next(status for branch, status in STATUSES if isinstance(error, branch)))
        call.set_details(str(error))
    except Exception as bug:
        logger.error("a gRPC call failed", exc_info=bug)
        call.set_code(StatusCode.INTERNAL)
        call.set_details("The server has a bug; its log has the trace.")
    return answer


def arrived(context: Context) -> RequestContext:
    """What the metadata say of the call; BadRequest for an invalid timeout."""
    given = dict(context.invocation_metadata())
    return RequestContext.read(given.get("x-request-id", ""), given.get("x-request-timeout-ms"))
