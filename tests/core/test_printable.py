from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from remora.core.printable import one_line, printable

ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()))


def test_what_shops_write_is_shown_as_it_is() -> None:
    for title in (
        "Sherlock [dvd]",
        "[/b] sticker",
        "$5 \\frac",
        "söck 東京 👩\u200d👧",
        "<b>&amp;</b>",
        "two\nlines\t",
    ):
        assert printable(title) == title


def test_commands_to_a_terminal_are_written_out() -> None:
    assert printable("\x1b]8;;http://x\x1b\\link\x9b31m") == r"\x1b]8;;http://x\x1b\link\x9b31m"
    assert printable("photo\u202egnp.exe") == r"photo\u202egnp.exe"
    assert printable("\ud800 \u2028") == r"\ud800 \u2028"


@given(ANY_TEXT)
def test_no_character_that_commands_is_left(text: str) -> None:
    shown = printable(text)
    assert printable(shown) == shown
    assert not [c for c in shown if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") and c not in "\n\t"]
    shown.encode("utf-8")


@given(ANY_TEXT, st.integers(2, 50))
def test_one_value_is_one_line_of_bounded_length(text: str, limit: int) -> None:
    shown = one_line(text, limit=limit)
    assert "\n" not in shown
    assert "\t" not in shown
    assert len(shown) <= limit * len(r"\U000e0001")
