"""A transform of another package, named by its module, from the build to the columns of a ranker."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from tests.features.conftest import Shop, make_lake, settings_for, shop_tables
from tests.features.own_transforms import Buyers, Hours
from tests.features.test_offline import asof, slates

from remora.core.errors import ComponentError, MissingInput, NotReady, SettingsError
from remora.features.build import build
from remora.features.offline import historical
from remora.features.online import OnlineUsers
from remora.features.snapshot import ItemSnapshot
from remora.features.store import apply, open_store
from remora.features.tables import FeatureTables
from remora.ranking.columns import RankerColumns
from remora.settings import Settings
from remora.testing.transforms import some_context

OF_USERS = ["user_hours__ever_late", "user_hours__last_hours", "user_hours__last_type", "user_hours__late_share"]


def test_its_table_is_that_of_one_pass_over_all_events(shop: Shop) -> None:
    context = some_context(until=shop.lake.end)
    of_users = Hours.transform(Hours.Config(late_from=12), shop.events, context)
    of_items = Buyers.transform(shop.settings.features.views["item_buyers"].config, shop.events, context)
    for view, key, expected in (("user_hours", "user_id", of_users), ("item_buyers", "item_id", of_items)):
        made = pl.DataFrame(shop.tables.read(view)).sort(key, "event_timestamp")
        expected = expected.sort(key, "event_timestamp")
        assert_frame_equal(made, expected.cast(dict(made.schema)), check_exact=True)  # type: ignore[arg-type]


def test_the_tables_say_whom_a_view_is_about_and_what_it_has(shop: Shop) -> None:
    assert (shop.tables.key("user_hours"), shop.tables.key("item_buyers")) == ("user_id", "item_id")
    assert shop.tables.description("item_buyers") == "How many users have bought an item."
    assert shop.store.get_feature_view("item_buyers").description == "How many users have bought an item."


def test_the_ranker_trains_on_its_columns_as_of_each_row(shop: Shop) -> None:
    rows = slates()
    found = historical(shop.store, rows, "ranking")
    for view, key in (("user_hours", "user_id"), ("item_buyers", "item_id")):
        expected = asof(shop, rows, view, key)
        assert pl.DataFrame(found.select(expected.columns)).to_dicts() == expected.to_dicts()
    own = {name for name in RankerColumns.fit(found).names if name.startswith(("user_hours", "item_buyers"))}
    assert own == {*OF_USERS, "item_buyers__number"} - {"user_hours__last_hours"}  # a list is no input


def test_requests_have_its_columns_from_the_online_store_and_the_snapshot(shop: Shop) -> None:
    """That they equal the offline rows is what the tests of hydrators and of parity ask of every column."""
    vocabulary = shop.lake.vocabulary()
    found = OnlineUsers(shop.store, vocabulary, shop.settings).hydrate(shop.query("u1"))
    assert set(OF_USERS) <= set(found.user)
    snapshot = ItemSnapshot.take(shop.store, shop.lake, vocabulary, shop.settings, shop.lake.end)
    assert np.nanmax(snapshot.column("item_buyers__number")) > 1


def small(home: Path, **transforms: object) -> Settings:
    make_lake(home, **shop_tables(events=60))
    return settings_for(home, transforms=transforms)


@pytest.mark.parametrize(
    ("name", "why"),
    [("Twice", "two rows of one item_id and event_timestamp"), ("Changing", "tables of two partitions differ in col")],
)
def test_a_table_that_cannot_be_a_view_is_named(ray_cluster: None, tmp_path: Path, name: str, why: str) -> None:
    with pytest.raises(ComponentError, match=f"The transform 'item_own' cannot be used: its .*{why}"):
        build(small(tmp_path, item_own={"type": f"tests.features.own_transforms:{name}"}))


def test_a_column_of_events_that_the_data_lacks_is_named(ray_cluster: None, tmp_path: Path) -> None:
    with pytest.raises(MissingInput, match=r"No column of events 'session_id'.*own_transforms:Sessions reads it"):
        build(small(tmp_path, item_own={"type": "tests.features.own_transforms:Sessions"}))


def test_a_view_that_is_taken_away_is_no_longer_there(ray_cluster: None, tmp_path: Path) -> None:
    before = small(tmp_path)
    build(before)
    apply(before)
    settings = settings_for(tmp_path, transforms={"user_affinity": None})
    tables = FeatureTables(build(settings))
    assert tables.views_of("user") == ("user_activity", "user_history", "user_profile")
    with pytest.raises(
        NotReady, match=r"has a view user_affinity, of which there is no table.*`remora features apply`"
    ):
        open_store(settings)
    assert "user_affinity" not in apply(settings)["views"]
    assert historical(open_store(settings), slates(), "ranking").num_rows


def test_declarations_that_lack_a_view_are_not_applied(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "entities.py").write_text("")
    monkeypatch.setenv("REMORA_FEATURE_REPO", str(tmp_path))
    with pytest.raises(SettingsError, match=f"{tmp_path} declares no view item_activity, of which there is a table"):
        apply(shop.settings)
