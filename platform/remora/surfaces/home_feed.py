"""The home feed: what a person may want next."""

from __future__ import annotations

from remora.pipeline import Pipeline
from remora.policies.filters.already_seen import AlreadySeen
from remora.policies.filters.unavailable import Unavailable
from remora.policies.rerankers.category_spacing import CategorySpacing
from remora.retrieval.sources.co_visited import CoVisited
from remora.retrieval.sources.nearest_items import NearestItems
from remora.retrieval.sources.popular import Popular
from remora.retrieval.sources.trending import Trending
from remora.surfaces.parts import Parts


def home_feed(parts: Parts) -> Pipeline:
    """Nearest items of the two towers, items that go with recent ones, and what is rising; ranked, then spaced."""
    limits, rules = parts.settings.retrieval, parts.settings.surfaces.home_feed
    hide = rules.already_seen
    return Pipeline(
        sources=(
            NearestItems(encoder=parts.encoder, index=parts.index, limit=limits.nearest_limit, skip_seen=hide),
            CoVisited(neighbours=parts.neighbours, limit=limits.co_visited_limit, skip_seen=hide),
            Trending(scores=parts.snapshot.trend, limit=limits.trending_limit, skip_seen=hide),
        ),
        filters=(AlreadySeen(hide=hide), Unavailable(available=parts.snapshot.available)),
        scorer=parts.scorer,
        rerankers=(
            CategorySpacing(
                categories=parts.snapshot.categories, window=rules.spacing_window, strength=rules.spacing_strength
            ),
        ),
        backfill=Popular(scores=parts.snapshot.popularity, skip_seen=hide),
    )
