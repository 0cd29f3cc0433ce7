"""The home feed: what a person may want next."""

from __future__ import annotations

from remora.pipeline import Pipeline
from remora.policies.filters.seed_item import SeedItem
from remora.policies.filters.seen_items import SeenItems
from remora.policies.filters.unavailable_items import UnavailableItems
from remora.policies.rerankers.category_diversity import CategoryDiversity
from remora.retrieval.sources.co_visited import CoVisited
from remora.retrieval.sources.linear import Linear
from remora.retrieval.sources.nearest_items import NearestItems
from remora.retrieval.sources.newest import Newest
from remora.retrieval.sources.popular import Popular
from remora.retrieval.sources.repeats import Repeats
from remora.retrieval.sources.trending import Trending
from remora.surfaces.in_segment import in_segment
from remora.surfaces.parts import Parts


def home_feed(parts: Parts) -> Pipeline:
    """Nearest items of the two towers, what comes after recent ones and goes with them, what is rising, what is new,
    for a user without a history what the segment wants, and, where the feed may show it, what the user wanted before;
    ranked, then spaced."""
    limits, rules = parts.settings.retrieval, parts.settings.surfaces.home_feed
    hide = rules.hide_seen
    return Pipeline(
        sources=(
            NearestItems(encoder=parts.encoder, index=parts.index, limit=limits.nearest_limit, skip_seen=hide),
            Linear(
                neighbours=parts.linear,
                limit=limits.linear_limit,
                decay=limits.linear_model.component.cls.step_decay(limits.linear_model.config),
                skip_seen=hide,
            ),
            CoVisited(neighbours=parts.neighbours, limit=limits.co_visited_limit, skip_seen=hide),
            Trending(scores=parts.snapshot.trend, limit=limits.trending_limit, skip_seen=hide),
            Newest(
                encoder=parts.encoder,
                index=parts.index,
                new=parts.snapshot.new(limits.newest_days),
                age_days=parts.snapshot.age_days,
                limit=limits.newest_limit,
                skip_seen=hide,
            ),
            *in_segment(parts, limit=limits.segment_limit, skip_seen=hide),
            *(() if hide else (Repeats(),)),
        ),
        filters=(SeedItem(), SeenItems(hide=hide), UnavailableItems(available=parts.snapshot.available)),
        scorer=parts.scorer,
        rerankers=(
            CategoryDiversity(
                categories=parts.snapshot.categories, window=rules.diversity_window, strength=rules.diversity_strength
            ),
        ),
        backfill=Popular(scores=parts.snapshot.popularity),
    )
