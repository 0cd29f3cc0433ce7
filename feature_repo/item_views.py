"""What is known of an item."""

from datetime import timedelta
from pathlib import Path

from entities import item
from feast import FeatureView

from remora.features.declarations import declared

tables = declared(Path(__file__).parent)

item_activity = FeatureView(
    name="item_activity",
    entities=[item],
    ttl=timedelta(0),
    schema=tables.schema("item_activity"),
    source=tables.source("item_activity"),
    description="Events, popularity and trend of the item, at the midnights where a window changes.",
)

item_catalogue = FeatureView(
    name="item_catalogue",
    entities=[item],
    ttl=timedelta(0),
    schema=tables.schema("item_catalogue"),
    source=tables.source("item_catalogue"),
    description="Since when the item is known, and its categories by number: what Remora adds to the data's columns.",
)

if "item_profile" in tables:
    item_profile = FeatureView(
        name="item_profile",
        entities=[item],
        ttl=timedelta(0),
        schema=tables.schema("item_profile"),
        source=tables.source("item_profile"),
        description="The item columns that the data configuration declares, valid from their timestamp.",
    )
