"""Whatever a value is, the line that is written of it is read back as it is."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from remora.project.proposal.yaml_text import YamlText
from remora.settings.references import resolved
from remora.settings.yaml_file import parse

FILE = Path("x.yaml")
texts = st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), max_size=40) | st.sampled_from(
    ["${HOME}", "$${X}", "yes", "1e-3", "2024-01-01", "a: b # c", "- x", "", "~", "\t", "::", "{a}", "1:30"]
)
scalars = texts | st.integers() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.none()
values = scalars | st.lists(scalars, max_size=3) | st.dictionaries(texts, scalars, max_size=3)


@given(name=texts, value=values, why=texts)
def test_what_is_written_is_read_back(name: str, value: object, why: str) -> None:
    out = YamlText()
    out.comment(why)
    out.section("data")
    out.section(name, 1)
    out.entry("first", value, why, 3, item=True)
    out.entry("second", value, why, 3)
    out.section("third", 3)
    out.listed(value, why, 4)
    read, _ = resolved(parse(out.text(), FILE), FILE)
    assert read == {"data": {name: [{"first": value, "second": value, "third": [value]}]}}
