"""What depends on both sides: the same function as in the ranker, see remora.features.transforms.cross."""

from pathlib import Path

import item_views
import pandas as pd
import user_views
from feast import Field, RequestSource
from feast.on_demand_feature_view import on_demand_feature_view
from feast.types import Float32, Float64

from remora.features.declarations import declared
from remora.features.transforms.cross import CATEGORY_AFFINITY, CROSS, with_affinity

of_users, of_items = user_views.views, item_views.views
affinity = with_affinity(declared(Path(__file__).parent).columns)

instant = RequestSource(name="instant", schema=[Field(name="instant_seconds", dtype=Float64)])


@on_demand_feature_view(
    sources=[
        of_users["user_activity"],
        of_items["item_activity"],
        instant,
        *([of_users["user_affinity"], of_items["item_catalogue"]] if affinity else []),
    ],
    schema=[Field(name=name, dtype=Float32) for name in (*CROSS, *([CATEGORY_AFFINITY] if affinity else []))],
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
