"""Similar items: what to show beside the item that a page is about."""

from __future__ import annotations

from remora.pipeline import Pipeline
from remora.policies.filters.seed_item import SeedItem
from remora.policies.filters.seen_items import SeenItems
from remora.policies.filters.unavailable_items import UnavailableItems
from remora.policies.rerankers.category_diversity import CategoryDiversity
from remora.policies.scorers.reciprocal_rank_fusion import ReciprocalRankFusion
from remora.retrieval.sources.co_visited_with import CoVisitedWith
from remora.retrieval.sources.popular import Popular
from remora.retrieval.sources.similar_vectors import SimilarVectors
from remora.surfaces.parts import Parts


def similar_items(parts: Parts) -> Pipeline:
    """Items near the seed in the towers' space and items seen together with it, by reciprocal rank fusion."""
    limits, rules = parts.settings.retrieval, parts.settings.surfaces.similar_items
    hide = rules.hide_seen
    return Pipeline(
        sources=(
            SimilarVectors(index=parts.index, limit=limits.nearest_limit, skip_seen=hide),
            CoVisitedWith(neighbours=parts.neighbours, limit=limits.co_visited_limit, skip_seen=hide),
        ),
        filters=(
            SeedItem(),
            SeenItems(hide=hide),
            UnavailableItems(available=parts.snapshot.available),
        ),
        scorer=ReciprocalRankFusion(),
        rerankers=(
            CategoryDiversity(
                categories=parts.snapshot.categories, window=rules.diversity_window, strength=rules.diversity_strength
            ),
        ),
        backfill=Popular(scores=parts.snapshot.popularity),
    )
