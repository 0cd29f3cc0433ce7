"""A request as the stages know it: ids become rows of one loaded bundle."""

from __future__ import annotations

from remora.contracts.errors import BadRequest, NotFound
from remora.pipeline import Query
from remora.serving.loaded_bundle import LoadedBundle
from remora.serving.schemas import SEED, RecommendRequest


def to_query(loaded: LoadedBundle, request: RecommendRequest, request_id: str) -> Query:
    """The query of a request, its user not looked up yet.

    BadRequest for a surface that there is not, and for one that needs an item and is given none; NotFound for an item
    that the catalogue does not have.
    """
    seed = request.context.get(SEED)
    check_surface(loaded, request.surface, with_item=isinstance(seed, str))
    return Query(
        request_id=request_id,
        surface=request.surface,
        n=request.n,
        instant=loaded.context.instant(),
        user_id=request.user_id,
        seed_item=None if seed is None else item_row(loaded, str(seed)),
        context=request.context,
        exclude=loaded.context.vocabulary.rows(request.exclude),
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
