"""The tables behind Feast's views: whole, equal to one big partition, and reused."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from polars.testing import assert_frame_equal
from tests.features.conftest import Shop, make_lake, settings_for, shop_tables

from remora.core.errors import MissingInput, NotBuilt, NotFound
from remora.core.home import Home
from remora.features.build import build
from remora.features.tables import FeatureTables
from remora.features.transforms.item_activity import item_activity
from remora.features.transforms.user_activity import user_activity
from remora.features.transforms.user_history import user_history
from remora.steps.path import FEATURES

TYPES, WINDOWS = ("view", "buy", "hide"), (1, 7)


def until(shop: Shop) -> int:
    return int(shop.lake.end.timestamp()) // 86_400


def read(shop: Shop, view: str, key: str) -> pl.DataFrame:
    return pl.DataFrame(shop.tables.read(view)).sort(key, "event_timestamp")


def test_partitions_together_equal_one_pass_over_everything(shop: Shop) -> None:
    of_users = user_activity(shop.events, types=TYPES, windows=WINDOWS, until=until(shop))
    of_items = item_activity(
        shop.events, types=TYPES, weights={"view": 0.5, "buy": 1.0}, windows=WINDOWS, until=until(shop)
    )
    history = user_history(shop.events, positive_types=("view", "buy"), length=4, seen_limit=6, until=until(shop))
    for view, key, expected in (
        ("user_activity", "user_id", of_users),
        ("item_activity", "item_id", of_items),
        ("user_history", "user_id", history),
    ):
        assert_frame_equal(read(shop, view, key), expected.sort(key, "event_timestamp"), check_exact=True)


def test_the_metadata_counts_the_rows_of_every_view(shop: Shop) -> None:
    counted = {view: shop.tables.read(view).num_rows for view in shop.tables.views}
    assert counted == shop.tables.artifact.metadata["rows"]
    shop.tables.artifact.verify()


def test_profiles_are_valid_from_their_timestamp_or_always(shop: Shop) -> None:
    of_i1 = pl.DataFrame(shop.tables.read("item_profile")).filter(pl.col("item_id") == "i1").sort("event_timestamp")
    assert [stamp.isoformat()[:13] for stamp in of_i1["event_timestamp"]] == ["1970-01-01T00", "2024-03-11T05"]
    assert of_i1["title"].to_list() == ["Thing 1", "Thing 1, new"]
    catalogue = pl.DataFrame(shop.tables.read("item_catalogue")).filter(pl.col("item_id") == "i1")
    assert catalogue.sort("event_timestamp")["category_numbers"].to_list() == [[0, 1], [2]]


def test_categories_are_in_order_of_items_then_name(shop: Shop) -> None:
    # 16 items carry a, 11 b, 7 c (one of them i1's later version), 5 d
    assert shop.tables.categories == ["a", "b", "c", "d"]


def test_unchanged_inputs_reuse_the_result(shop: Shop) -> None:
    again = build(shop.settings)
    assert (again.version, again.metadata) == (shop.tables.artifact.version, shop.tables.artifact.metadata)


def test_a_changed_window_makes_another_version_and_keeps_the_old(shop: Shop, tmp_path: Path) -> None:
    make_lake(tmp_path, **shop_tables(events=60))
    settings = settings_for(tmp_path)
    first = build(settings)
    wider = settings.model_copy(update={"features": settings.features.model_copy(update={"windows_days": (1, 30)})})
    second = build(wider)
    assert second.version != first.version
    assert "count_buy_30d" in FeatureTables(second).schema("user_activity").names
    first.verify()


def test_a_column_of_text_that_is_declared_makes_another_version(shop: Shop) -> None:
    declared = shop.settings.data.model_copy(update={"text_columns": ("title",)})
    now = FEATURES.current(shop.settings.model_copy(update={"data": declared}))
    assert now.version != shop.tables.artifact.version


def test_an_interrupted_build_leaves_the_current_version(shop: Shop, tmp_path: Path) -> None:
    make_lake(tmp_path, **shop_tables(events=60))
    built = build(settings_for(tmp_path))
    broken = settings_for(tmp_path, item_columns=["price", "colour"])
    with pytest.raises(MissingInput, match=r"No column of items 'colour'\. There is: item_id, title"):
        build(broken)
    assert FeatureTables.open(Home(str(tmp_path))).artifact.version == built.version


def test_data_without_values_users_or_categories_builds_what_it_can(ray_cluster: None, tmp_path: Path) -> None:
    tables = shop_tables(events=60)
    make_lake(
        tmp_path,
        events=tables["events"].drop_columns(["value", "source_row"]),
        users=pa.table({"user_id": pa.array([], pa.string())}),
        items=tables["items"].select(["item_id", "event_timestamp"]),
    )
    bare = dict.fromkeys(("title", "category", "available"))
    settings = settings_for(tmp_path, transforms={}, **bare, user_columns=[], item_columns=[])
    built = FeatureTables(build(settings))
    assert built.views == ("user_activity", "user_history", "item_activity", "item_catalogue")
    assert built.schema("item_catalogue").names == ["in_catalogue", "entered_at"]
    assert built.read("user_activity")["mean_value"].null_count == built.read("user_activity").num_rows


def test_a_home_without_features_names_the_command(home_folder: Path, shop: Shop) -> None:
    with pytest.raises(NotBuilt, match="remora features build"):
        FeatureTables.open(Home(str(home_folder)))
    with pytest.raises(NotFound, match="There are: user_activity"):
        shop.tables.read("user_mood")
