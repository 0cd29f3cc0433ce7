"""A surface as code: a whole request path in one expression."""

from __future__ import annotations

from example_plugin.popular_on_weekday import PopularOnWeekday
from example_plugin.price_limit import PriceLimit
from remora.pipeline import Pipeline, StageContext
from remora.policies.filters.seen_items import SeenItems
from remora.policies.filters.unavailable_items import UnavailableItems
from remora.retrieval.sources.popular import Popular


def today(context: StageContext) -> Pipeline:
    """What is wanted on this day of the week at a small price, and popular items where that is too little."""
    return Pipeline(
        sources={"popular_on_weekday": PopularOnWeekday.from_config(PopularOnWeekday.Config(limit=100), context)},
        filters={
            "seen_items": SeenItems(),
            "unavailable_items": UnavailableItems(available=context.snapshot.available),
            "price_limit": PriceLimit.from_config(PriceLimit.Config(), context),
        },
        backfill=Popular(scores=context.snapshot.popularity),
    )
