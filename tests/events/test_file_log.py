"""Segments are sealed by whoever writes them, or by others once it is dead."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from remora.events import file_log
from remora.events.file_log import FileLog, sealed
from remora.events.segment import SegmentWriter, records


def log(folder: Path, *, segment_bytes: int = 1_000, segment_seconds: float = 1_000) -> FileLog:
    return FileLog(folder, segment_bytes=segment_bytes, segment_seconds=segment_seconds)


def contents(paths: Sequence[Path]) -> list[bytes]:
    return [record.content for path in paths for record in records(path)]


def test_a_full_segment_is_sealed_and_another_begins(tmp_path: Path) -> None:
    one = log(tmp_path, segment_bytes=60)
    for number in range(6):
        one.append([b"record %d" % number, b"x" * 10])
    assert len(sealed(tmp_path)) == 3
    assert contents(sealed(tmp_path))[::2] == [b"record %d" % number for number in range(6)]


def test_a_segment_that_is_old_is_sealed_although_it_is_not_full(tmp_path: Path) -> None:
    young, old = log(tmp_path / "young"), log(tmp_path / "old", segment_seconds=0)
    for one in (young, old):
        one.append([b"x"])
        one.seal_if_old()
    assert (sealed(young.folder), contents(sealed(old.folder))) == ([], [b"x"])


def test_without_a_record_no_segment_is_left(tmp_path: Path) -> None:
    one = log(tmp_path)
    one.seal()
    one.append([b"x"])
    one.seal()
    one.seal()
    assert [path.suffix for path in tmp_path.iterdir()] == [".log"]


def test_only_its_owner_reads_a_log(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        one = log(tmp_path / "log" / "events")
        one.append([b"x"])
    finally:
        os.umask(before)
    made = [tmp_path / "log", one.folder, *one.folder.iterdir()]
    assert [path.stat().st_mode & 0o777 for path in made] == [0o700, 0o700, 0o600]


def test_what_a_living_writer_has_open_stays_open(tmp_path: Path) -> None:
    one = log(tmp_path)
    one.append([b"first"])
    assert sealed(tmp_path) == []
    one.append([b"second"])
    one.seal()
    assert contents(sealed(tmp_path)) == [b"first", b"second"]


def test_what_a_dead_writer_left_is_sealed_without_its_torn_end(tmp_path: Path) -> None:
    dead = SegmentWriter(tmp_path / "20260101T000000000000-0.open")  # holds no lock, as if its process were gone
    dead.append([b"whole"])
    with dead.path.open("ab") as file:
        file.write(b"\x09\x00\x00\x00torn")
    assert contents(sealed(tmp_path)) == [b"whole"]
    assert sealed(tmp_path)[0].stat().st_size == dead.bytes


def test_an_empty_one_of_a_dead_writer_goes_once_it_is_old(tmp_path: Path) -> None:
    path = tmp_path / "20260101T000000000000-0.open"
    path.touch()
    assert sealed(tmp_path) == []
    assert path.exists()  # its writer may be about to take the lock
    os.utime(path, (0, 0))
    assert sealed(tmp_path) == []
    assert not path.exists()


def test_after_an_error_of_the_disk_another_segment_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = log(tmp_path)
    one.append([b"first"])

    def broken(handle: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(file_log.os, "fdatasync", broken)
    with pytest.raises(OSError, match="Input/output"):
        one.append([b"lost"])
    monkeypatch.undo()
    one.append([b"second"])
    one.seal()
    assert contents(sealed(tmp_path)) == [b"first", b"second"]
    assert len(sealed(tmp_path)) == 2
