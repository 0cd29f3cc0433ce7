"""What depends on both sides: the same function as in the ranker, see remora.features.transforms.cross."""

from pathlib import Path

import pandas as pd
import user_views
from feast import Field, RequestSource
from feast.on_demand_feature_view import on_demand_feature_view
from feast.types import Float32, Float64
from item_views import item_activity, item_catalogue

from remora.features.declarations import declared
from remora.features.transforms.cross import CATEGORY_AFFINITY, CROSS

with_affinity = "user_affinity" in declared(Path(__file__).parent)

instant = RequestSource(name="instant", schema=[Field(name="instant_seconds", dtype=Float64)])


@on_demand_feature_view(
    sources=[
        user_views.user_activity,
        item_activity,
        instant,
        *([user_views.user_affinity, item_catalogue] if with_affinity else []),
    ],
    schema=[Field(name=name, dtype=Float32) for name in (*CROSS, *([CATEGORY_AFFINITY] if with_affinity else []))],
    mode="pandas",
    description="Recency, age, value gap and shared categories of a user and an item at instant_seconds since 1970.",
)
def user_item(inputs: pd.DataFrame) -> pd.DataFrame:
    # Feast runs this from its source text: everything it needs is imported inside
    import pandas as pd

    from remora.features.transforms.cross import READ, cross

    columns = {name: inputs[name].to_numpy() for name in READ if name in inputs}
    crossed = cross(columns, inputs["instant_seconds"].to_numpy(dtype="float64"))
    return pd.DataFrame({name.removeprefix("user_item__"): values for name, values in crossed.items()})
