"""What is known of a user. Views without a ttl: the last row at or before an instant is the state at that instant."""

from datetime import timedelta
from pathlib import Path

from entities import user
from feast import FeatureView

from remora.features.declarations import declared

tables = declared(Path(__file__).parent)

user_activity = FeatureView(
    name="user_activity",
    entities=[user],
    ttl=timedelta(0),
    schema=tables.schema("user_activity"),
    source=tables.source("user_activity"),
    description="Events of the user in trailing windows, at the midnights where a window changes.",
)

user_history = FeatureView(
    name="user_history",
    entities=[user],
    ttl=timedelta(0),
    schema=tables.schema("user_history"),
    source=tables.source("user_history"),
    description="What the user wanted and saw, most recent last; the latest row alone, for requests.",
)

if "user_affinity" in tables:
    user_affinity = FeatureView(
        name="user_affinity",
        entities=[user],
        ttl=timedelta(0),
        schema=tables.schema("user_affinity"),
        source=tables.source("user_affinity"),
        description="Share of the user's wants per category, in the order of the features' categories.json.",
    )

if "user_profile" in tables:
    user_profile = FeatureView(
        name="user_profile",
        entities=[user],
        ttl=timedelta(0),
        schema=tables.schema("user_profile"),
        source=tables.source("user_profile"),
        description="The user columns that the data configuration declares, valid from their timestamp.",
    )
