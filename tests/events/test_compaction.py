"""Each record of the log comes into one file, however often it is brought and whoever is killed meanwhile."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tests.events.test_contract import CONTRACT, NOW, event

from remora.core.errors import NotReady, UnreadableInput
from remora.core.home import Home
from remora.core.locks import exclusive_lock
from remora.events import compaction
from remora.events.compaction import DOCUMENT, LOCK, Compaction, compact, noted_files, read_compacted
from remora.events.file_log import FileLog
from remora.events.intake import Intake
from remora.events.segment import SegmentWriter
from remora.events.segment_reader import SegmentReader
from remora.events.tables import NO_EVENT, QUARANTINE, SLATES, event_tables, slate_tables
from remora.ingest.sent_events import FOLDER

DAYS = 86_400.0


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(str(tmp_path / "home"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "log"


def sent(folder: Path, *events: Any, seal: bool = True) -> FileLog:
    """The log of a process that took these."""
    log = FileLog(folder, segment_bytes=1 << 20, segment_seconds=1_000)
    if seal:
        intake = Intake(log, CONTRACT, clock=lambda: NOW)
        intake.take(events).result(timeout=20)
        intake.close()
    else:
        log.append([json.dumps(CONTRACT.accept(one, NOW)).encode() for one in events])
    return log


def ids(home: Home, where: str = FOLDER, column: str = "event_id") -> list[str]:
    """Of all files, in their order."""
    files = [Path(home.at(where), name) for name in home.files(where)]
    return [id for file in files for id in pl.read_parquet(file)[column].to_list()]


def brought(home: Home, folder: Path, **changes: Any) -> Compaction:
    return compact(home, [(SegmentReader(folder), event_tables)], **({"retention_seconds": 7 * DAYS} | changes))


def test_events_come_into_the_contracts_columns_and_what_was_refused_beside_them(home: Home, folder: Path) -> None:
    at = "2026-11-29T13:00:00.5+01:00"
    whole = event(event_timestamp=at, value=2, session_id="s", request_id="r", position=3, context={"b": 1, "a": "x"})
    sent(folder, whole, event(event_id="f", event_type="sale"))
    assert brought(home, folder) == Compaction(rows={FOLDER: 1, QUARANTINE: 1}, files=1)
    (row,) = pl.read_parquet(home.at(f"{FOLDER}/00000000.parquet")).to_dicts()
    given = {"event_id": "e", "user_id": "u", "item_id": "i", "event_type": "buy", "value": 2.0, "session_id": "s"}
    assert row == dict.fromkeys(row) | given | {
        "event_timestamp": datetime(2026, 11, 29, 12, 0, 0, 500_000, UTC),
        "known_timestamp": NOW,
        "request_id": "r",
        "position": 3,
        "context": '{"a": "x", "b": 1}',
    }
    (refused,) = pl.read_parquet(home.at(f"{QUARANTINE}/00000000.parquet")).to_dicts()
    assert refused["reason"] == "event_type is not declared"
    assert json.loads(refused["row"])["event_id"] == "f"


def test_what_was_brought_is_not_brought_again(home: Home, folder: Path) -> None:
    sent(folder, event(event_id="1"))
    assert brought(home, folder).files == 1
    assert brought(home, folder) == Compaction()
    sent(folder, event(event_id="2"))
    assert brought(home, folder).files == 1
    assert ids(home) == ["1", "2"]


def test_an_open_segment_is_read_as_far_as_it_goes_and_later_from_there(home: Home, folder: Path) -> None:
    log = sent(folder, event(event_id="1"), seal=False)
    assert brought(home, folder).rows == {FOLDER: 1}
    log.append([json.dumps(CONTRACT.accept(event(event_id="2"), NOW)).encode()])
    log.seal()
    assert brought(home, folder).rows == {FOLDER: 1}
    assert ids(home) == ["1", "2"]


def test_a_file_has_so_many_rows(home: Home, folder: Path) -> None:
    sent(folder, *(event(event_id=str(number)) for number in range(5)))
    assert brought(home, folder, rows=2).files == 3
    assert ids(home) == ["0", "1", "2", "3", "4"]


@pytest.mark.parametrize("dies", range(1, 6))
def test_whenever_it_dies_each_event_is_there_once_after_the_next_run(
    home: Home, folder: Path, monkeypatch: pytest.MonkeyPatch, dies: int
) -> None:
    """At each of its writes in turn."""
    sent(folder, *(event(event_id=str(number)) for number in range(4)), event(event_type="sale"))
    writes, write = 0, Home.write_bytes

    def counted(self: Home, path: str, content: bytes) -> None:
        nonlocal writes
        writes += 1
        if writes == dies:
            raise KeyboardInterrupt
        write(self, path, content)

    monkeypatch.setattr(compaction.Home, "write_bytes", counted)
    with pytest.raises(KeyboardInterrupt):
        brought(home, folder, rows=2)
    monkeypatch.undo()
    sent(folder, event(event_id="later"))
    brought(home, folder, rows=2)
    assert sorted(ids(home)) == ["0", "1", "2", "3", "later"]
    assert ids(home, QUARANTINE, "reason") == ["event_type is not declared"]


def test_segments_that_are_read_and_old_are_removed_and_forgotten(home: Home, folder: Path) -> None:
    sent(folder, event(event_id="1"))
    assert brought(home, folder).removed == 0
    (segment,) = folder.iterdir()
    os.utime(segment, (0, 0))
    assert brought(home, folder).removed == 1
    assert (list(folder.iterdir()), read_compacted(home).read) == ([], {})
    assert ids(home) == ["1"]


def test_a_segment_that_is_not_read_whole_stays_however_old_it_is(home: Home, folder: Path) -> None:
    sent(folder, event(event_id="1"))
    (segment,) = folder.iterdir()
    with segment.open("ab") as file:
        file.write(b"damaged")
    os.utime(segment, (0, 0))
    with pytest.raises(UnreadableInput, match=r"\.log'.*not as it was written.*All before it is collected"):
        brought(home, folder)
    assert ids(home) == ["1"]
    assert segment.exists()


def test_a_damaged_segment_holds_up_no_other_topic(home: Home, folder: Path) -> None:
    sent(folder, event(event_id="1"))
    (segment,) = folder.iterdir()
    with segment.open("ab") as file:
        file.write(b"damaged")
    other = folder.with_name("other")
    sent(other, event(event_id="2"))
    topics = [(SegmentReader(one), event_tables) for one in (folder, other)]
    with pytest.raises(UnreadableInput, match="not as it was written"):
        compact(home, topics, retention_seconds=1e6)
    assert sorted(ids(home)) == ["1", "2"]


def test_what_a_dead_process_left_with_a_flipped_bit_is_told_and_not_cut_off(home: Home, folder: Path) -> None:
    folder.mkdir()
    dead = SegmentWriter(folder / "20260101T000000000000-0.open")  # holds no lock, as if its process were gone
    dead.append([json.dumps(CONTRACT.accept(event(event_id=str(number)), NOW)).encode() for number in range(9)])
    dead.close()
    content = bytearray(dead.path.read_bytes())
    content[len(content) // 2] ^= 1
    dead.path.write_bytes(content)
    brought(home, folder)  # it may still be written
    with pytest.raises(UnreadableInput, match="not as it was written"):
        brought(home, folder)
    (segment,) = folder.iterdir()
    assert segment.read_bytes() == content


def test_what_a_killed_run_has_not_noted_goes_though_its_number_is_another_topics_then(
    home: Home, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (SegmentReader(folder / name) for name in ("one", "two"))
    topics = [(first, event_tables), (second, lambda contents: {SLATES: event_tables(contents)[FOLDER]})]
    sent(folder / "one", event(event_id="1"))
    sent(folder / "two", event(event_id="slate"))
    noted, written = compaction._noted, 0

    def killed(home: Home, done: compaction.CompactionState) -> compaction.CompactionState:
        nonlocal written
        written += 1
        if written == 2:
            raise KeyboardInterrupt
        return noted(home, done)

    monkeypatch.setattr(compaction, "_noted", killed)
    with pytest.raises(KeyboardInterrupt):
        compact(home, topics, retention_seconds=DAYS)
    monkeypatch.undo()
    sent(folder / "one", event(event_id="2"))
    compact(home, topics, retention_seconds=DAYS)
    assert (ids(home), ids(home, SLATES)) == (["1", "2"], ["slate"])


def test_what_others_put_beside_the_files_is_no_obstacle(home: Home, folder: Path) -> None:
    home.write_bytes(f"{FOLDER}/notes.txt", b"mine")
    sent(folder, event(event_id="1"))
    brought(home, folder)
    assert noted_files(home, FOLDER, read_compacted(home)) == ["00000000.parquet"]
    assert home.exists(f"{FOLDER}/notes.txt")


@pytest.mark.parametrize(
    "record", [b"{", b"[1]", b"null", b"\xff", b"{}", b'{"event_timestamp": "soon"}', b'{"a": 1}\n{"a": 2}', b"[" * 9]
)
def test_a_record_that_is_no_event_is_quarantined_and_holds_up_no_other(record: bytes) -> None:
    good = [json.dumps(CONTRACT.accept(event(event_id=id), NOW)).encode() for id in ("1", "2")]
    found = event_tables([good[0], record, good[1]])
    assert found[FOLDER]["event_id"].to_pylist() == ["1", "2"]
    assert {*found[QUARANTINE]["reason"].to_pylist()} == {NO_EVENT}
    assert slate_tables([record], as_events=True)[FOLDER].num_rows == 0


def test_one_process_at_a_time(home: Home, folder: Path) -> None:
    home.make_folder("events")
    with exclusive_lock(home, LOCK), pytest.raises(NotReady, match="Another command brings the events"):
        brought(home, folder)


def test_a_damaged_document_is_an_error_that_says_what_to_do(home: Home, folder: Path) -> None:
    home.write_bytes(DOCUMENT, b"{")
    with pytest.raises(UnreadableInput, match=r"compacted\.json.*backup"):
        brought(home, folder)
