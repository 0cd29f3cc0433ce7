"""What is known of an item. Views without a ttl: the last row at or before an instant is the state at that instant."""

from datetime import timedelta
from pathlib import Path

from entities import item
from feast import FeatureView

from remora.features.declarations import declared

tables = declared(Path(__file__).parent)

views = {
    name: FeatureView(
        name=name,
        entities=[item],
        ttl=timedelta(0),
        schema=tables.schema(name),
        source=tables.source(name),
        description=tables.description(name),
    )
    for name in tables.views_of("item")
}
globals().update({f"{name}_view": view for name, view in views.items()})  # Feast finds what has a name in a module
