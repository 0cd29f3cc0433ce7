"""The dialect of a CSV file is found, whoever wrote it."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remora.project.proposal.csv_dialect import csv_dialect

NAMES = ["user_id", "item_id", "title", "price"]

cells = st.text("abcé ,;|\t:\"'0123456789.", min_size=1, max_size=12)


@given(
    rows=st.lists(
        st.tuples(st.integers(1, 99), st.integers(1, 99), cells, st.integers(0, 999)), min_size=3, max_size=30
    ),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    header=st.booleans(),
)
def test_what_is_written_with_quotes_is_divided_as_it_was(
    rows: list[tuple[int, int, str, int]], delimiter: str, encoding: str, header: bool
) -> None:
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerows([NAMES] * header + [list(map(str, row)) for row in rows])
    found = csv_dialect(out.getvalue().encode(encoding), "x.csv").options
    assert found.get("delimiter", ",") == delimiter
    assert found.get("encoding", "utf-8") == encoding.removesuffix("-sig")
    assert ("column_names" in found) != header
    assert "quote" not in found


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("user::item::rating\n1::2::3\n", {"delimiter": "::", "quote": None}),
        ('user,item,size\n1,2,5" pipe\n1,3,7" pipe\n1,4,"x\n1,5,y\n1,6,z\n', {"quote": None}),
        ('id,title\n1,"a \\"b\\", c"\n', {"escape": "\\"}),
        (",user_id,item_id\n0,1,2\n", {}),
        (
            "u1;i1;2024-01-01\nu2;i2;2024-01-02\n",
            {"delimiter": ";", "column_names": ["column_1", "column_2", "column_3"]},
        ),
        ("a;b\n1,5;2,5\n3,5;4,5\n", {"delimiter": ";"}),
    ],
)
def test_dialects_of_known_programs(text: str, options: dict[str, object]) -> None:
    assert csv_dialect(text.encode(), "x.csv").options == options


def test_text_that_is_not_utf_8_is_taken_for_cp1252_and_not_sure() -> None:
    found = csv_dialect("id,name\n1,Käse – 5 €\n".encode("cp1252"), "x.csv")
    assert found.options == {"encoding": "cp1252"}
    assert "Käse" in found.doubts[0][0]
