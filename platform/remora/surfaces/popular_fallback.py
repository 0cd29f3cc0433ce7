"""The fallback chain: what is shown when nothing else works."""

from __future__ import annotations

from remora.pipeline import Pipeline
from remora.policies.filters.seed_item import SeedItem
from remora.policies.filters.unavailable_items import UnavailableItems
from remora.retrieval.sources.popular import Popular
from remora.surfaces.in_segment import in_segment
from remora.surfaces.parts import Parts


def popular_fallback(parts: Parts) -> Pipeline:
    """Popular items that are available, those of the user's segment first where the request's context names one; needs
    arrays in memory only."""
    return Pipeline(
        sources=in_segment(parts, limit=None),
        filters=(SeedItem(), UnavailableItems(available=parts.snapshot.available)),
        backfill=Popular(scores=parts.snapshot.popularity),
    )
