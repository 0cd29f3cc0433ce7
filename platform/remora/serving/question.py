"""A request as the stages know it: ids become rows of one release."""

from __future__ import annotations

from remora.contracts.errors import BadRequest, NotFound
from remora.pipeline import Query
from remora.serving.messages import SEED, SIMILAR, RecommendRequest
from remora.serving.release import Release


def question(release: Release, asked: RecommendRequest, request_id: str) -> Query:
    """The query of a request, its user not looked up yet.

    BadRequest for a surface that there is not, and for similar items of nothing; NotFound for an unknown seed.
    """
    if asked.surface not in release.surfaces:
        raise BadRequest(f"There is no surface '{asked.surface}'. There are: {', '.join(release.surfaces)}.")
    seed = asked.context.get(SEED)
    if asked.surface == SIMILAR and not isinstance(seed, str):
        raise BadRequest(f"The surface {SIMILAR} needs context.{SEED}, the item that similar ones are asked for.")
    return Query(
        request_id=request_id,
        surface=asked.surface,
        n=asked.n,
        instant=release.parts.instant(),
        user_id=asked.user_id,
        item=None if seed is None else item_row(release, str(seed)),
        context=asked.context,
        exclude=release.parts.vocabulary.rows(asked.exclude),
    )


def item_row(release: Release, item_id: str) -> int:
    """NotFound for an item that the catalogue does not have."""
    row = release.parts.vocabulary.row(item_id)
    if row is None:
        raise NotFound("item", item_id, f"The catalogue is that of bundle {release.bundle}.")
    return row
