"""What is appended is read whole, whatever a crash or a disk does to the end of the file."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remora.events import segment
from remora.events.segment import SegmentWriter, is_damaged, records, whole_bytes

CONTENTS = st.lists(st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=4), min_size=1, max_size=5)


def written(path: Path, appends: list[list[bytes]]) -> list[int]:
    """The ends of the appends."""
    path.unlink(missing_ok=True)
    writer = SegmentWriter(path)
    ends = [writer.append(some) for some in appends]
    writer.close()
    return ends


@given(CONTENTS)
def test_what_is_appended_is_read_in_its_order(tmp_path_factory: pytest.TempPathFactory, appends) -> None:
    path = tmp_path_factory.getbasetemp() / "whole"
    ends = written(path, appends)
    found = list(records(path))
    assert [record.content for record in found] == [one for some in appends for one in some]
    assert found[-1].end == ends[-1] == path.stat().st_size == whole_bytes(path)
    for index, end in enumerate(ends):
        rest = [one for some in appends[index + 1 :] for one in some]
        assert [record.content for record in records(path, end)] == rest


@given(CONTENTS, st.data())
def test_a_file_that_ends_anywhere_gives_the_records_that_are_whole(
    tmp_path_factory: pytest.TempPathFactory, appends, data: st.DataObject
) -> None:
    path = tmp_path_factory.getbasetemp() / "cut"
    written(path, appends)
    whole = list(records(path))
    size = data.draw(st.integers(0, path.stat().st_size))
    os.truncate(path, size)
    assert list(records(path)) == [record for record in whole if record.end <= size]


@given(CONTENTS, st.data())
def test_a_changed_byte_ends_what_is_read_before_its_record(
    tmp_path_factory: pytest.TempPathFactory, appends, data: st.DataObject
) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged"
    written(path, appends)
    whole, content = list(records(path)), bytearray(path.read_bytes())
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    assert list(records(path)) == [record for record in whole if record.end <= at]


def test_after_an_error_of_the_disk_nothing_of_the_append_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer, write = SegmentWriter(tmp_path / "a"), os.write
    writer.append([b"first"])

    def full(handle: int, content: bytes) -> int:
        if len(content) <= 20:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(handle, content[:20])

    monkeypatch.setattr(segment.os, "write", full)
    with pytest.raises(OSError, match="No space left"):
        writer.append([b"second", b"third " * 9])
    monkeypatch.undo()
    assert [record.content for record in records(writer.path)] == [b"first"]
    assert writer.path.stat().st_size == writer.bytes


def test_zeros_that_a_loss_of_power_leaves_are_no_records(tmp_path: Path) -> None:
    (end,) = written(tmp_path / "a", [[b"whole"]])
    with (tmp_path / "a").open("ab") as file:
        file.write(bytes(4_096))
    assert [record.content for record in records(tmp_path / "a")] == [b"whole"]
    assert (whole_bytes(tmp_path / "a"), is_damaged(tmp_path / "a")) == (end, False)


@given(CONTENTS, st.data())
def test_damage_is_told_from_what_a_crash_cut_off(
    tmp_path_factory: pytest.TempPathFactory, appends, data: st.DataObject
) -> None:
    path = tmp_path_factory.getbasetemp() / "either"
    written(path, appends)
    content, last = path.read_bytes(), [*records(path)][-1]
    begin = last.end - len(last.content) - segment.HEAD.size
    os.truncate(path, data.draw(st.integers(begin, len(content))))
    assert not is_damaged(path)
    if begin:
        changed = bytearray(content)
        changed[data.draw(st.integers(0, begin - 1))] ^= data.draw(st.integers(1, 255))
        path.write_bytes(changed)
        assert is_damaged(path)
