"""Which process writes the live state, and what it does when other feature tables serve."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from tests.features.conftest import make_lake, settings_for, shop_tables

from remora.core.home import Home
from remora.events.collect import collect
from remora.events.file_log import FileLog
from remora.events.from_settings import log_folder
from remora.features.build import build
from remora.features.live.row_store import LiveRowStore
from remora.features.materialize import materialize
from remora.features.store import apply
from remora.features.tables import FeatureTables
from remora.ingest.sent_events import FOLDER
from remora.serving.live_writer import LiveWriter
from remora.settings import Settings


@pytest.fixture(scope="module")
def home(ray_cluster: None, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A shop whose features are online, of one view beside the history."""
    settings = settings_for(tmp_path_factory.mktemp("live"), transforms={})
    online(settings, shop_tables())
    return settings


def online(
    settings: Settings, tables: dict[str, pa.Table], version: str = "lake1", collected: tuple[str, ...] = ()
) -> None:
    make_lake(Path(settings.home), **tables, version=version, collected=collected)
    build(settings)
    apply(settings)
    materialize(settings)


def version_of(settings: Settings) -> str:
    return FeatureTables.open(Home(settings.home)).artifact.version


def end_of(settings: Settings) -> datetime:
    return datetime.fromisoformat(FeatureTables.open(Home(settings.home)).artifact.metadata["end"])


def send(settings: Settings, number: int, user: str, item: str, at: datetime) -> None:
    stamp = at.isoformat(timespec="microseconds")
    event = {"event_id": f"w{number}", "user_id": user, "item_id": item, "event_type": "buy"}
    log = FileLog(log_folder(settings), segment_bytes=1 << 20, segment_seconds=1e6)
    log.append([json.dumps(event | {"event_timestamp": stamp, "known_timestamp": stamp}).encode()])
    log.seal()


def until(writers: list[LiveWriter], holds: Callable[[], bool]) -> None:
    """Each takes turns until it holds."""
    for _ in range(2_000):
        if holds():
            return
        for writer in writers:
            writer.turn()
    pytest.fail("it never holds")


@pytest.fixture
def writers(home: Settings) -> Iterator[Callable[[], LiveWriter]]:
    """Makes writers of the home, whose clock is a second further at each look at it."""
    made = []

    def writer() -> LiveWriter:
        clock = itertools.count()
        made.append(LiveWriter(home, 0, clock=lambda: float(next(clock))))
        return made[-1]

    yield writer
    for one in made:
        one.close()


def bought(store: LiveRowStore, user: str) -> str | None:
    row = store.read(user)
    return None if row is None else row["user_history__history"][-1]


def test_one_of_two_writes_and_the_other_takes_over_with_what_it_saw(
    home: Settings, writers: Callable[[], LiveWriter]
) -> None:
    store, end = LiveRowStore(home), end_of(home)
    first, second = writers(), writers()
    until([first], lambda: first.is_settled)
    until([second], lambda: second._state is not None)
    send(home, 1, "u1", "i3", end)
    until([first], lambda: bought(store, "u1") == "i3")
    assert second.stats is None
    send(home, 2, "u2", "i4", end)  # the first dies before it writes this one
    until([second], lambda: not second._recent or "u2" in second._recent[-1][1])
    first.close()
    until([second], lambda: bought(store, "u2") == "i4")
    assert second.stats is not None


def test_what_waits_is_written_also_while_events_never_cease(home: Settings, writers: Callable[[], LiveWriter]) -> None:
    store, end = LiveRowStore(home), end_of(home)
    send(home, 100, "u7", "i1", end)
    writer, numbers = writers(), itertools.count(101)
    until([writer], lambda: writer._state is not None)

    def settled() -> bool:
        send(home, next(numbers), "u8", "i2", end)
        return writer.is_settled

    until([writer], settled)
    assert store.announced(0) == [version_of(home)]
    assert bought(store, "u7") == "i1"


def test_with_other_feature_tables_the_state_begins_again_and_rows_of_before_count_until_then(
    home: Settings, writers: Callable[[], LiveWriter]
) -> None:
    store, end = LiveRowStore(home), end_of(home)
    writer, old = writers(), version_of(home)
    until([writer], lambda: writer.is_settled)
    send(home, 3, "u5", "i6", end + timedelta(minutes=1))
    until([writer], lambda: bought(store, "u5") == "i6")
    collect(home)
    collected = tuple(Home(home.home).files(FOLDER))
    # The next lake has what was collected, as an ingest makes it.
    tables = shop_tables()
    events = pl.DataFrame(tables["events"])
    sent = pl.concat([pl.read_parquet(Home(home.home).at(f"{FOLDER}/{name}")) for name in collected])
    columns = [name for name in events.columns if name != "source_row"]
    later = sent.select(columns).with_columns(source_row=pl.int_range(pl.len(), dtype=pl.Int64) + len(events))
    whole = pl.concat([events, later.select(events.columns).cast(dict(events.schema))]).to_arrow()
    online(home, tables | {"events": whole.cast(tables["events"].schema)}, "lake2", collected)
    assert bought(store, "u5") == "i6", "while the writer has not seen the tables"
    send(home, 4, "u6", "i7", end + timedelta(minutes=2))
    until([writer], lambda: store.announced(0) == [version_of(home)])
    assert version_of(home) != old
    assert store.read("u5") is None, "the batch row has it"
    assert bought(store, "u6") == "i7"


def test_by_a_clock_of_its_own_a_writer_makes_rows_as_of_then(home: Settings) -> None:
    """A year after the data, nothing of it is in a window any more."""
    store, end, turns = LiveRowStore(home), end_of(home), itertools.count()
    with closing(
        LiveWriter(home, 0, clock=lambda: float(next(turns)), now=lambda: end + timedelta(days=365))
    ) as writer:
        until([writer], lambda: writer.is_settled)
    row = store.read("u3")
    assert row is not None
    assert {value for name, value in row.items() if name.startswith("user_activity__distinct_items_")} == {0}
