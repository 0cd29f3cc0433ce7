"""The fallback chain: what is shown when nothing else works."""

from __future__ import annotations

from remora.pipeline import Pipeline, StageContext
from remora.pipeline.runner import named
from remora.policies.filters.seed_item import SeedItem
from remora.policies.filters.unavailable_items import UnavailableItems
from remora.retrieval.models.segment_popularity import SegmentPopularity
from remora.retrieval.sources.popular import Popular
from remora.retrieval.sources.popular_in_segment import PopularInSegment


def popular_fallback(context: StageContext) -> Pipeline:
    """Popular items that are available, those of the user's segment first where the request's context names one; needs
    arrays in memory only."""
    models = [model for model in context.models.values() if isinstance(model, SegmentPopularity)]
    in_segment = [PopularInSegment(segments=model.segments, column=model.column) for model in models[:1]]
    return Pipeline(
        sources=named(*in_segment),
        filters=named(SeedItem(), UnavailableItems(available=context.snapshot.available)),
        backfill=Popular(scores=context.snapshot.popularity, ranked=context.snapshot.most_popular),
        live_from=context.live_from,
        deleted=context.deleted,
    )
