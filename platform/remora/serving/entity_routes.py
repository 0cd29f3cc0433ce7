"""The routes by which items and users are sent."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import Body, FastAPI, Path, Request
from pydantic import BaseModel, Field

from remora.core.errors import BadRequest
from remora.events.entity_update import EntityUpdate
from remora.serving import problems
from remora.serving.entity_writes import EntityWrites
from remora.serving.openapi import OF_COLUMNS
from remora.serving.schemas import Id

ItemPath = Annotated[Id, Path(examples=["50"])]
UserPath = Annotated[Id, Path(examples=["196"])]
WHAT = "columns of the lake by name; those that are null or not named are null from now on"
ItemColumns = Annotated[dict[str, Any], Body(description=WHAT, json_schema_extra={OF_COLUMNS: "items"})]
UserColumns = Annotated[dict[str, Any], Body(description=WHAT, json_schema_extra={OF_COLUMNS: "users"})]


class EntityResponse(BaseModel):
    """An update that was taken; it is on the disk."""

    id: str
    instant: datetime = Field(description="from which it holds, unless a later one does (UTC)")

    @classmethod
    def of(cls, update: EntityUpdate) -> EntityResponse:
        """Without its columns."""
        return cls(id=update.id, instant=update.instant)


def install(app: FastAPI, writes: EntityWrites) -> None:
    """Let the app take them."""

    @app.put("/v1/items/{item_id:path}", responses=problems.RESPONSES)
    async def put_item(request: Request, item_id: ItemPath, columns: ItemColumns) -> EntityResponse:
        """Add an item, or replace all that is known of it; the answer comes once it is on the disk."""
        return EntityResponse.of(await writes.put("items", whole(request, item_id), columns))

    @app.delete("/v1/items/{item_id:path}", responses=problems.RESPONSES)
    async def delete_item(request: Request, item_id: ItemPath) -> EntityResponse:
        """Never show an item again, until it is put again; an unknown item too."""
        return EntityResponse.of(await writes.delete("items", whole(request, item_id)))

    @app.put("/v1/users/{user_id:path}", responses=problems.RESPONSES)
    async def put_user(request: Request, user_id: UserPath, columns: UserColumns) -> EntityResponse:
        """Add a user, or replace the columns of one; what the user did stays."""
        return EntityResponse.of(await writes.put("users", whole(request, user_id), columns))

    @app.delete("/v1/users/{user_id:path}", responses=problems.RESPONSES)
    async def delete_user(request: Request, user_id: UserPath) -> EntityResponse:
        """Forget the columns of a user; what the user did stays."""
        return EntityResponse.of(await writes.delete("users", whole(request, user_id)))


def whole(request: Request, id: str) -> str:
    """The id at the end of the path. BadRequest where the route has left a line break out: that is another id."""
    if not request.scope["path"].endswith(id):
        raise BadRequest("An id in a path has no line break: send this one over gRPC.")
    return id
