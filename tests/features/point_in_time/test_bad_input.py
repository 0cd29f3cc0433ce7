"""What is wrong is said, with the values and what to do."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from feast import FeatureStore
from tests.features.point_in_time.worlds import START, World

from remora.core.errors import BadRequest, DataError, MissingInput, UnreadableInput, WrongType
from remora.core.tables import TIMESTAMP

STORED = pa.table({"user_id": ["u"], "x": [1.0], "event_timestamp": pa.array([START], TIMESTAMP)})
ASKED = pa.table({"user_id": ["u"], "event_timestamp": pa.array([START], TIMESTAMP)})


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path)
    world.view("v", STORED)
    return world


def ask(store: FeatureStore, rows: Any = ASKED) -> list[Any]:
    return store.get_historical_features(rows, ["v:x"]).to_arrow()["x"].to_pylist()


def replaced(world: World, table: pa.Table) -> FeatureStore:
    """The store after somebody put other files under the view."""
    store = world.store()
    pq.write_table(table, world.folder / "v" / "0.parquet")
    return store


class TestASource:
    def test_that_is_missing(self, world: World) -> None:
        store = world.store()
        (world.folder / "v" / "0.parquet").unlink()
        with pytest.raises(MissingInput, match=r"No \*.parquet file in the folder '.*/v'"):
            ask(store)
        (world.folder / "v").rmdir()
        with pytest.raises(MissingInput, match=r"No Parquet file or folder '.*/v'. Fix the path"):
            ask(store)

    def test_without_its_timestamp(self, world: World) -> None:
        store = replaced(world, STORED.drop_columns(["event_timestamp"]))
        with pytest.raises(MissingInput, match=r"'event_timestamp'. There is: user_id, x. Fix the declaration"):
            ask(store)

    def test_with_text_for_a_timestamp(self, world: World) -> None:
        store = replaced(world, STORED.set_column(2, "event_timestamp", pa.array(["monday"])))
        with pytest.raises(
            WrongType, match=r"'event_timestamp' of the source of 'v'.* is string; a timestamp is needed"
        ):
            ask(store)

    def test_without_a_feature(self, world: World) -> None:
        store = replaced(world, STORED.rename_columns(["user_id", "y", "event_timestamp"]))
        with pytest.raises(MissingInput, match=r"'x'. There is: user_id, y, event_timestamp"):
            ask(store)

    @pytest.mark.parametrize(
        "damage",
        [lambda whole: b"", lambda whole: whole[: len(whole) // 2], lambda whole: b"PAR1" + b"\0" * 50 + b"PAR1"],
        ids=["empty", "truncated", "garbled"],
    )
    def test_that_is_damaged(self, world: World, damage: Callable[[bytes], bytes]) -> None:
        store, file = world.store(), world.folder / "v" / "0.parquet"
        file.write_bytes(damage(file.read_bytes()))
        with pytest.raises(UnreadableInput, match=r"Cannot read '.*/v/0.parquet': .+ Replace the file"):
            ask(store)

    def test_whose_pages_are_damaged(self, world: World) -> None:
        store, file = world.store(), world.folder / "v" / "0.parquet"
        whole = bytearray(file.read_bytes())
        whole[4:60] = b"\xff" * 56
        file.write_bytes(bytes(whole))
        with pytest.raises(UnreadableInput, match=r"Cannot read '.*/v/0.parquet'"):
            ask(store)

    def test_without_rows_knows_nothing(self, world: World) -> None:
        assert ask(replaced(world, STORED.slice(0, 0))) == [None]

    def test_whose_keys_are_of_another_kind(self, world: World) -> None:
        store = replaced(world, STORED.set_column(0, "user_id", pa.array([7])))
        with pytest.raises(WrongType, match=r"'user_id' of the entity rows is string; int64, as in the source of 'v'"):
            ask(store)


class TestAskedRows:
    def test_without_instants(self, world: World) -> None:
        with pytest.raises(MissingInput, match=r"'event_timestamp'. There is: user_id. Every row needs the instant"):
            ask(world.store(), ASKED.select(["user_id"]))

    def test_with_several_that_may_be_meant(self, world: World) -> None:
        both = pa.table({"user_id": ["u"], "a": ASKED["event_timestamp"], "b": ASKED["event_timestamp"]})
        with pytest.raises(MissingInput, match=r"Name one of a, b so"):
            ask(world.store(), both)

    def test_with_an_instant_missing(self, world: World) -> None:
        rows = pa.table({"user_id": ["u", "u"], "event_timestamp": pa.array([START, None], TIMESTAMP)})
        with pytest.raises(DataError, match=r"1 of the entity rows have no 'event_timestamp', the first is row 1"):
            ask(world.store(), rows)

    def test_without_the_key(self, world: World) -> None:
        with pytest.raises(MissingInput, match=r"No column of the entity rows 'user_id'.*View 'v' joins on it"):
            ask(world.store(), ASKED.rename_columns(["customer", "event_timestamp"]))

    def test_without_a_zone_are_in_utc_unless_the_repository_says_otherwise(self, world: World) -> None:
        naive = ASKED.set_column(1, "event_timestamp", ASKED["event_timestamp"].cast(pa.timestamp("us")))
        store = world.store()
        assert ask(store, naive) == [1.0]
        store.config.coerce_tz_aware = False
        with pytest.raises(WrongType, match=r"a timestamp with a time zone"):
            ask(store, naive)

    def test_of_the_future_are_answered_counted_and_named(self, world: World, caplog: Any) -> None:
        rows = pa.table(
            {"user_id": ["u"], "event_timestamp": pa.array([datetime.now(UTC) + timedelta(days=9)], TIMESTAMP)}
        )
        job = world.store().get_historical_features(rows, ["v:x"])
        with caplog.at_level(logging.WARNING):
            assert job.to_arrow()["x"].to_pylist() == [1.0]
        assert job.report.future == 1
        assert "1 of the entity rows ask for an instant after now" in caplog.text

    def test_with_a_column_that_a_feature_would_hide(self, world: World) -> None:
        with pytest.raises(DataError, match=r"Two columns of the answer would be called x"):
            ask(world.store(), ASKED.append_column("x", pa.array([3.0])))

    def test_in_a_column_that_the_join_itself_uses(self, world: World) -> None:
        with pytest.raises(DataError, match=r"Two columns of the answer would be called __row"):
            ask(world.store(), ASKED.append_column("__row", pa.array([7])))

    def test_that_are_no_rows_at_all(self, world: World) -> None:
        store = world.store()
        with pytest.raises(DataError, match=r"Cannot ask with a list"):
            ask(store, [1])
        with pytest.raises(BadRequest, match=r"Give the rows to be answered"):
            store.get_historical_features(features=["v:x"], start_date=START, end_date=START)
        with pytest.raises(MissingInput, match=r"No Parquet file or folder '/nowhere'"):
            ask(store, "/nowhere")
