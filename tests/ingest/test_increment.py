"""An ingest of new files alone makes the lake that an ingest of all files makes, and reads no other file."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.ingest.batches import (
    ITEMS,
    Exports,
    content_of,
    event,
    events_of,
    expected_events,
    restore,
    spoil,
)
from tests.ingest.readers import ray_data_reads, this_process_reads

from remora.core.errors import QuarantineLimitExceeded
from remora.core.home import Home
from remora.ingest import file_layout
from remora.ingest.data_quality import report
from remora.ingest.ingest import ingest
from remora.ingest.lake import Lake

ROW = st.tuples(
    st.sampled_from([str(n) for n in range(12)]),
    st.sampled_from(["u1", "u2", "u3", ""]),
    st.sampled_from(ITEMS),
    st.one_of(
        st.builds(lambda day, second: event(day=day, second=second)[3], st.integers(0, 4), st.integers(0, 2)),
        st.just("soon"),
    ),
    st.sampled_from(["view", "buy", "buy", "stare"]),
)
BATCH = st.lists(ROW, min_size=1, max_size=12)
SOUND = [event(id="first")]


@pytest.fixture
def exports(tmp_path: Path) -> Exports:
    return Exports(tmp_path / "exports")


@pytest.fixture
def small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three events fill a file, so that days have several, and a day's files become more."""
    monkeypatch.setattr(file_layout, "FILE_ROWS", 3)


def whole(exports: Exports, folder: Path) -> Lake:
    """The lake of all files, read by this process."""
    with this_process_reads():
        return ingest(exports.settings(folder / f"whole{len(exports.written)}"))


def build_of(lake: Lake) -> dict:
    return lake.artifact.metadata["build"]


batches_of_one_source = given(
    batches=st.lists(BATCH, min_size=2, max_size=4), with_ids=st.booleans(), keep=st.booleans()
)
batches_of_two_sources = given(
    batches=st.lists(st.tuples(BATCH, st.integers(0, 1), st.integers(2, 5)), min_size=2, max_size=4),
    with_ids=st.booleans(),
    unknown=st.sampled_from(["keep", "quarantine"]),
)


@settings(max_examples=15)
@batches_of_one_source
def test_batch_by_batch_the_lake_is_that_of_all_batches(batches: list, with_ids: bool, keep: bool) -> None:
    check_one_source(batches, with_ids, keep)


@settings(max_examples=2)
@batches_of_one_source
def test_the_same_when_ray_data_reads(batches: list, with_ids: bool, keep: bool, ray_cluster: None) -> None:
    with ray_data_reads():
        check_one_source(batches, with_ids, keep)


@settings(max_examples=12)
@batches_of_two_sources
def test_with_two_sources_and_an_items_table_that_changes_too(batches: list, with_ids: bool, unknown: str) -> None:
    check_two_sources(batches, with_ids, unknown)


@settings(max_examples=2)
@batches_of_two_sources
def test_the_same_of_two_sources_when_ray_data_reads(
    batches: list, with_ids: bool, unknown: str, ray_cluster: None
) -> None:
    with ray_data_reads():
        check_two_sources(batches, with_ids, unknown)


def check_one_source(batches: list, with_ids: bool, keep: bool) -> None:
    with TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr(file_layout, "FILE_ROWS", 3)
        folder = Path(name)
        exports = Exports(folder, with_ids=with_ids, data={"duplicates": "keep" if keep else "quarantine"})
        exports.write(SOUND)
        lake = ingest(exports.settings(folder / "home"))
        for batch in batches:
            exports.write(batch)
            old = {file: spoil(file) for file in exports.written[:-1]}
            lake = ingest(exports.settings(folder / "home"), since_last=True)
            for file, content in old.items():
                restore(file, content)
            assert build_of(lake)["full_rebuild_reason"] is None
            assert build_of(lake)["files"] == {"read": 1, "known": len(exports.written) - 1}
        assert content_of(lake) == content_of(whole(exports, folder))
        assert events_of(lake) == expected_events(exports, None)
        lake.artifact.verify()


def check_two_sources(batches: list, with_ids: bool, unknown: str) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        exports = Exports(folder, sources=2, with_ids=with_ids, data={"unknown_items": unknown})
        exports.write([event(id="one", what="i0")], source=0)
        exports.write([event(id="two", what="i1")], source=1)
        exports.write_items(ITEMS[:2])
        lake = ingest(exports.settings(folder / "home"))
        for batch, source, items in batches:
            exports.write(batch, source)
            exports.write_items(ITEMS[:items])
            lake = ingest(exports.settings(folder / "home"), since_last=True)
        assert content_of(lake) == content_of(whole(exports, folder))
        assert events_of(lake) == expected_events(exports, ITEMS[:items] if unknown == "quarantine" else None)


def test_the_quality_report_is_that_of_a_whole_build(exports: Exports, tmp_path: Path, ray_cluster: None) -> None:
    exports.write([event(id=str(n), day=n) for n in range(4)])
    ingest(exports.settings(tmp_path))
    exports.write([event(id=str(n), who="u2", day=n, kind="buy") for n in range(3, 6)])
    lake, again = ingest(exports.settings(tmp_path), since_last=True), whole(exports, tmp_path)
    settings = exports.settings(tmp_path)
    assert report(lake, settings) == report(again, settings)
    assert report(lake, settings).duplicates == 1


def test_days_without_a_new_event_are_the_same_files_on_disk(exports: Exports, tmp_path: Path) -> None:
    exports.write([event(id=str(n), day=n) for n in range(4)])
    before = ingest(exports.settings(tmp_path))
    exports.write([event(id="late", day=1), event(id="new", day=4)])
    lake = ingest(exports.settings(tmp_path), since_last=True)
    assert build_of(lake)["days"] == {"new": 1, "merged": 1, "reused": 3}
    assert build_of(lake)["of"] == before.version
    assert build_of(lake)["rows_read"] == 2

    def inode(version: Lake, day: int) -> int:
        return os.stat(version.artifact.at(f"events/day={lake.days()[day]}/00000.parquet")).st_ino

    assert [inode(lake, day) == inode(before, day) for day in range(4)] == [True, False, True, True]
    before.artifact.verify()
    lake.artifact.verify()


def test_a_file_of_a_crowded_day_that_gets_no_new_row_is_there_all_the_same(
    exports: Exports, tmp_path: Path, small_files: None
) -> None:
    exports.write([event(id=str(n), second=n) for n in range(8)])
    ingest(exports.settings(tmp_path))
    exports.write([event(id="new", second=99)])
    lake = ingest(exports.settings(tmp_path), since_last=True)
    assert content_of(lake) == content_of(whole(exports, tmp_path))


def test_nothing_new_reuses_the_lake_and_opens_no_file(exports: Exports, tmp_path: Path) -> None:
    file = exports.write(SOUND)
    before = ingest(exports.settings(tmp_path))
    spoil(file)
    again = ingest(exports.settings(tmp_path), since_last=True)
    assert again.artifact.metadata == before.artifact.metadata


def test_new_items_alone_make_a_version_that_reads_no_event_file(exports: Exports, tmp_path: Path) -> None:
    exports.write_items(ITEMS[:2])
    file = exports.write([event(id="1", what="i0"), event(id="2", what="i1", day=1)])
    ingest(exports.settings(tmp_path))
    exports.write_items(ITEMS, price=2.0)
    content = spoil(file)
    lake = ingest(exports.settings(tmp_path), since_last=True)
    restore(file, content)
    assert build_of(lake)["days"] == {"new": 0, "merged": 0, "reused": 2}
    assert content_of(lake) == content_of(whole(exports, tmp_path))


def test_a_file_that_was_only_touched_is_read_for_its_hash_and_known(exports: Exports, tmp_path: Path) -> None:
    file = exports.write(SOUND)
    ingest(exports.settings(tmp_path))
    os.utime(file)
    exports.write([event(id="2", day=1)])
    lake = ingest(exports.settings(tmp_path), since_last=True)
    assert build_of(lake)["files"] == {"read": 1, "known": 1}


def test_a_change_right_after_the_ingest_that_leaves_the_times_as_they_were_is_found(
    exports: Exports, tmp_path: Path
) -> None:
    file = exports.write(SOUND)
    os.utime(file)
    ingest(exports.settings(tmp_path))
    restore(file, file.read_bytes().replace(b"u1", b"u2"))
    lake = ingest(exports.settings(tmp_path), since_last=True)
    assert lake.users()["user_id"].to_pylist() == ["u2"]


class TestAWholeBuildIsMadeAndSaysWhyWhen:
    @pytest.fixture
    def before(self, exports: Exports, tmp_path: Path) -> Lake:
        exports.write([event(id="1"), event(id="2", day=1)], name="b.csv")
        exports.write([event(id="3", day=2)], name="c.csv")
        return ingest(exports.settings(tmp_path))

    def why(self, exports: Exports, tmp_path: Path) -> str:
        lake = ingest(exports.settings(tmp_path), since_last=True)
        assert content_of(lake) == content_of(whole(exports, tmp_path))
        return build_of(lake)["full_rebuild_reason"] or ""

    def test_there_is_no_lake(self, exports: Exports, tmp_path: Path) -> None:
        exports.write(SOUND)
        assert self.why(exports, tmp_path) == "there is no lake yet"

    def test_a_file_is_gone(self, exports: Exports, tmp_path: Path, before: Lake) -> None:
        exports.written.pop().unlink()
        assert "c.csv was read, and is gone" in self.why(exports, tmp_path)

    def test_a_file_has_changed(self, exports: Exports, tmp_path: Path, before: Lake) -> None:
        exports.write([event(id="9")], name="c.csv")
        assert "c.csv was read, and has changed" in self.why(exports, tmp_path)

    def test_a_new_file_comes_before_known_ones(self, exports: Exports, tmp_path: Path, before: Lake) -> None:
        exports.write([event(id="9")], name="a.csv")
        assert "a.csv is new, and comes before files" in self.why(exports, tmp_path)

    def test_the_settings_of_the_data_changed(self, exports: Exports, tmp_path: Path, before: Lake) -> None:
        exports.data["earliest"] = "2001-01-01"
        assert "a setting that the lake depends on" in self.why(exports, tmp_path)

    def test_an_event_was_refused_for_an_item_that_is_there_now(self, exports: Exports, tmp_path: Path) -> None:
        exports.write_items(("i0",))
        exports.write([event(id="1", what="i0"), event(id="2", what="i3")])
        ingest(exports.settings(tmp_path))
        exports.write_items(("i0", "i1"))
        assert self.why(exports, tmp_path) == ""
        exports.write_items(("i0", "i1", "i3"))
        assert self.why(exports, tmp_path) == "events were refused for i3, which items has now"

    def test_an_item_is_not_there_any_more(self, exports: Exports, tmp_path: Path) -> None:
        exports.write_items(("i0", "i3"))
        exports.write([event(id="1", what="i0"), event(id="2", what="i3")])
        ingest(exports.settings(tmp_path))
        exports.write_items(("i0",))
        assert self.why(exports, tmp_path) == "items has no i3 any more"

    def test_the_same_event_comes_in_a_source_that_stands_before(self, exports: Exports, tmp_path: Path) -> None:
        exports.sources = 2
        exports.write([event(id="1")], source=0)
        exports.write([event(id="2")], source=1)
        ingest(exports.settings(tmp_path))
        exports.write([event(id="2")], source=0)
        assert "1 events come again in new files that stand before their own" in self.why(exports, tmp_path)

    def test_an_event_that_was_in_the_future_is_not_any_more(
        self, exports: Exports, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from datetime import UTC, datetime

        from remora.ingest import ingest as ingesting

        exports.write([event(id="1"), event(id="2", day=30)])
        eve = datetime.fromtimestamp(int(event(day=20)[3]), UTC)
        monkeypatch.setattr(ingesting, "latest_instant", lambda data: eve)
        assert ingest(exports.settings(tmp_path)).rows("events") == 1
        exports.write([event(id="3", day=1)])
        lake = ingest(exports.settings(tmp_path), since_last=True)
        assert (build_of(lake)["full_rebuild_reason"], lake.rows("events")) == (None, 2)
        monkeypatch.setattr(ingesting, "latest_instant", lambda data: datetime.now(UTC))
        exports.write([event(id="4", day=1)])
        assert "was refused as in the future, and is not any more" in self.why(exports, tmp_path)


def test_too_many_broken_rows_in_all_stop_the_run_and_leave_the_lake(exports: Exports, tmp_path: Path) -> None:
    exports.data["quarantine_limit"] = 0.3
    exports.write([event(id=str(n)) for n in range(8)])
    before = ingest(exports.settings(tmp_path))
    exports.write([event(id=str(n), kind="stare") for n in range(8)])
    with pytest.raises(QuarantineLimitExceeded, match="8 of 16 events rows"):
        ingest(exports.settings(tmp_path), since_last=True)
    assert Lake.open(Home(str(tmp_path))).version == before.version
