"""CSV as programs write it: delimiters of several characters, backslashes, byte order marks, line ends, compression."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remora.core.errors import UnreadableInput
from remora.core.home import Home
from remora.ingest.csv import CSV
from remora.ingest.delimiter import OneCharacter
from remora.ingest.files import ORDER, UNREADABLE
from remora.ingest.locate import locate
from remora.settings import SourceSettings


def read(folder: Path, content: bytes, name: str = "rows.csv", **source: Any) -> list[tuple[str, ...]]:
    """The rows as text; those that cannot be divided, as they stand."""
    (folder / name).write_bytes(content)
    settings = SourceSettings(path=name, format="csv", columns={}, event_type="view", **source)
    (file,) = locate(settings, Home(str(folder)), 0).files
    file_schema = CSV.inspect(file, settings)
    table = pa.concat_tables(batch for split in file_schema.splits for batch in CSV.read(split, settings))
    rows = table.select(file_schema.schema.names).to_pylist()
    broken = table[UNREADABLE].to_pylist()
    return [tuple(row.values()) if text is None else (text,) for row, text in zip(rows, broken, strict=True)]


def test_a_delimiter_of_two_characters_divides_columns(tmp_path: Path) -> None:
    content = b'id::title::time\n1::Toy: "Story" (1995)::5\n2::a::\n3::x\n'
    found = read(tmp_path, content, delimiter="::", quote=None)
    assert found == [("1", 'Toy: "Story" (1995)', "5"), ("2", "a", ""), ("3\x1fx",)]


@given(
    rows=st.lists(st.lists(st.text("a:|é", max_size=5), min_size=3, max_size=3), max_size=20),
    size=st.integers(1, 7),
    delimiter=st.sampled_from(["::", "||", ":|:", "|:|:"]),
)
def test_wherever_a_read_ends_long_delimiters_are_those_of_the_whole(
    rows: list[list[str]], size: int, delimiter: str
) -> None:
    content = "\n".join(delimiter.join(row) for row in rows).encode()
    stream = OneCharacter(pa.BufferReader(content), delimiter.encode())
    found = b"".join(iter(lambda: stream.read(size), b""))
    assert found == content.replace(delimiter.encode(), b"\x1f")


def test_a_file_that_holds_the_stand_in_of_a_long_delimiter_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableInput, match="stands for a long delimiter"):
        read(tmp_path, b"a::b\n1::2\x1f\n", delimiter="::", quote=None)


def test_a_backslash_before_a_quote_is_read_with_escape(tmp_path: Path) -> None:
    content = b'id,title\n1,"a \\"b\\" of ours"\n2,"a \\"b\\", of ours"\n3,"C:\\\\d"\n'
    found = read(tmp_path, content, escape="\\")
    assert found == [("1", 'a "b" of ours'), ("2", 'a "b", of ours'), ("3", "C:\\d")]


@pytest.mark.parametrize(
    ("encoding", "said"),
    [("utf-8-sig", "utf-8"), ("utf-8", "utf-8"), ("utf-16", "utf-16"), ("latin-1", "latin-1"), ("cp1252", "cp1252")],
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_marks_at_the_beginning_and_line_ends_are_no_part_of_a_value(
    tmp_path: Path, encoding: str, said: str, end: str
) -> None:
    content = end.join(["id,title", "1,Käse", '2,"x, y"', ""]).encode(encoding)
    assert read(tmp_path, content, encoding=said) == [("1", "Käse"), ("2", "x, y")]


def test_compressed_files_are_read_by_their_names(tmp_path: Path) -> None:
    content = b"id,title\n1,a\n"
    assert read(tmp_path, gzip.compress(content), "rows.csv.gz") == [("1", "a")]
    assert read(tmp_path, pa.compress(content, "zstd", asbytes=True), "rows.csv.zst") == [("1", "a")]


def test_a_file_without_a_header_has_the_names_of_the_settings(tmp_path: Path) -> None:
    names = ("user", "item", "rating")
    content = b"1::10::5\n2::20\n3::30::4\n"
    found = read(tmp_path, content, "ratings.dat", column_names=names, delimiter="::", quote=None)
    assert found == [("1", "10", "5"), ("3", "30", "4"), ("2\x1f20",)]


def test_rows_of_a_file_without_a_header_are_counted_from_its_first_line(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_bytes(b"a,b\nc\nd,e\n")
    settings = SourceSettings(path="rows.csv", format="csv", columns={}, event_type="view", column_names=("one", "two"))
    (file,) = locate(settings, Home(str(tmp_path)), 0).files
    (split,) = CSV.inspect(file, settings).splits
    table = pa.concat_tables(CSV.read(split, settings))
    assert table[ORDER].to_pylist() == [1, 3, 2]
