"""Which categories a user's wants go to."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl
from pydantic import Field

from remora.extensions import ComponentConfig
from remora.features.transforms.transform import Transform, TransformContext
from remora.features.transforms.windows import DAY_COLUMN, midnight, with_day


def user_affinity(
    events: pl.DataFrame, items: pl.DataFrame, *, weights: Mapping[str, float], categories: int, until: int
) -> pl.DataFrame:
    """Snapshots of the share of each user's positive weight per category, over all time; ``until`` in days since 1970.

    ``items`` has ``item_id``, ``event_timestamp`` (valid from) and ``category_numbers`` (list of int32, the most
    frequent category is 0). An event's weight is spread evenly over the categories that its item had at the time;
    ``affinity`` holds the first ``categories`` shares (list of float32, sum <= 1). A user has no row before the first
    positive event with a category.
    """
    positives = with_day(events.filter(pl.col("event_type").is_in(list(weights)))).with_columns(
        weight=pl.col("event_type").replace_strict(dict(weights), return_dtype=pl.Float64)
    )
    spread = (
        positives.select("user_id", "item_id", "event_timestamp", DAY_COLUMN, "weight")
        .sort("event_timestamp")
        .join_asof(items.sort("event_timestamp"), on="event_timestamp", by="item_id", check_sortedness=False)
        .filter(pl.col("category_numbers").list.len() > 0, pl.col("weight") > 0)
        .with_columns(pl.col("weight") / pl.col("category_numbers").list.len())
        .explode("category_numbers")
        .group_by("user_id", DAY_COLUMN, "category_numbers")
        .agg(pl.col("weight").sum())
        .sort("user_id", DAY_COLUMN, "category_numbers")
    )
    active = spread.select("user_id", DAY_COLUMN).unique(maintain_order=True)
    row = spread.select(pl.struct("user_id", DAY_COLUMN).rle_id()).to_series().to_numpy()
    number = np.minimum(spread["category_numbers"].to_numpy(), categories)  # the last column is every other category
    gained = np.zeros((len(active), categories + 1))
    np.add.at(gained, (row, number), spread["weight"].to_numpy())
    running = pl.DataFrame(gained, schema=[str(c) for c in range(categories + 1)], orient="row")
    so_far = running.select(pl.all().cum_sum().over(active["user_id"])).to_numpy()
    shares = (so_far[:, :categories] / so_far.sum(axis=1, keepdims=True)).astype(np.float32)
    snapshots = pl.DataFrame(
        {
            "user_id": active["user_id"],
            "event_timestamp": midnight(active[DAY_COLUMN].to_numpy().astype(np.int64) + 1),
            "affinity": pl.Series(shares, dtype=pl.Array(pl.Float32, categories)).cast(pl.List(pl.Float32)),
        }
    )
    return snapshots.filter(pl.col("event_timestamp") <= midnight(np.array([until]))[0])


class UserAffinity(Transform):
    """Share of the user's wants per category, and the categories' names in their order: with other items it is another
    one, and a row is read by bundles that were made before."""

    class Config(ComponentConfig):
        """The settings of the view."""

        categories: int = Field(32, ge=1, le=1_000, description="most frequent ones, each with a share of its own")

    entity = "user"
    daily = True

    @classmethod
    def applies(cls, config: Config, context: TransformContext) -> bool:
        """Where the data declares a category."""
        return context.item_categories is not None

    @classmethod
    def transform(cls, config: Config, events: pl.DataFrame, context: TransformContext) -> pl.DataFrame:
        """See :func:`user_affinity`."""
        assert context.item_categories is not None
        found = user_affinity(
            events,
            context.item_categories,
            weights=context.weights,
            categories=config.categories,
            until=context.until_day,
        )
        names = list(context.category_names[: config.categories])
        return found.with_columns(pl.lit(pl.Series([names], dtype=pl.List(pl.String))).first().alias("categories"))
