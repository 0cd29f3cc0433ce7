"""Text from data made fit to be shown: a terminal, a log, a plot or a page draws it and never obeys it."""

from __future__ import annotations

import unicodedata
from typing import Any

LIMIT = 200
"""Characters of one value that :func:`one_line` shows by default."""

_SHOWN_AS_THEY_ARE = {"\n", "\t", "\u00ad", "\u200c", "\u200d"}
"""Line breaks, tabs, and what Persian, Indic scripts and emoji are joined with."""
_HIDDEN = {"Cc", "Cs", "Zl", "Zp"}
"""Control characters, lone surrogates, and line breaks that not every program takes for one."""
_DIRECTION = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")
"""What turns the direction of the text around it."""


def printable(text: str) -> str:
    r"""``text`` with every character that commands a terminal, or turns text around, written as Python writes it.

    Line breaks and tabs stay.

    >>> printable("\x1b[31mred\x07")
    '\\x1b[31mred\\x07'
    >>> printable("Sherlock [dvd] $5")
    'Sherlock [dvd] $5'
    """
    if text.isprintable():
        return text
    return "".join(map(_written, text))


def one_line(text: str, limit: int = LIMIT) -> str:
    r"""One value in one line of at most ``limit`` characters: :func:`printable`, with its line breaks written out.

    >>> one_line("two\nlines")
    'two\\nlines'
    >>> one_line("abcdef", limit=4)
    'abc…'
    """
    cut = text if len(text) <= limit else text[: limit - 1] + "…"
    return printable(cut).replace("\n", "\\n").replace("\t", "\\t")


def shown(value: Any) -> Any:
    """:func:`printable` for whatever a template prints: text is made fit, everything else stays."""
    return printable(value) if type(value) is str else value


def _written(character: str) -> str:
    if character in _SHOWN_AS_THEY_ARE:
        return character
    if unicodedata.category(character) in _HIDDEN or character in _DIRECTION:
        return character.encode("unicode_escape").decode("ascii")
    return character
