"""How a CSV file is written: encoding, delimiter, quotes, escapes, and whether its first row names the columns."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from remora.core.errors import UnreadableInput
from remora.project.proposal.words import EVENT, ID, ITEM, RATING, TIME, USER, VALUE, tokens

DELIMITERS = (",", ";", "\t", "|", "::", "\x01", "^", "~")
LINES = 2_000
ESCAPED = '\\"'
"""A quote within quotes, as Spark and MySQL write it."""

KNOWN = USER | ITEM | ID | TIME | EVENT | RATING | VALUE

csv.field_size_limit(1 << 24)


@dataclass(frozen=True)
class CsvDialect:
    """What a source's settings say of it, and why; ``doubts`` are of what was guessed."""

    options: dict[str, Any]
    why: dict[str, str] = field(default_factory=dict)
    doubts: tuple[tuple[str, str], ...] = ()


def csv_dialect(content: bytes, path: str) -> CsvDialect:
    """The dialect of the first bytes of a file; UnreadableInput where no delimiter divides its lines."""
    encoding, why, doubts = _encoding(content)
    text = content.decode(encoding, errors="ignore")
    lines = text.splitlines()
    lines = (lines[:-1] if len(lines) > 1 and not text.endswith(("\n", "\r")) else lines)[:LINES]
    delimiter = _delimiter(lines)
    if delimiter is None:
        raise UnreadableInput(
            path,
            f"no delimiter divides its lines into columns; the first is {lines[0][:80]!r}",
            "Give a CSV file with a delimiter such as a comma, a semicolon or a tab, and two columns or more.",
        )
    options: dict[str, Any] = {"delimiter": delimiter} if delimiter != "," else {}
    reasons = {"encoding": why} if why else {}
    if encoding != "utf-8":
        options["encoding"] = encoding
    quote = _quote(lines, delimiter)
    if quote is None:
        options["quote"] = None
        reasons["quote"] = "quotes are part of the text here" if len(delimiter) == 1 else "a long delimiter needs it"
    elif ESCAPED in text:
        options["escape"] = "\\"
        reasons["escape"] = 'quotes within quotes have a backslash before them (\\")'
    rows = _rows(lines, delimiter, quote)
    if not _has_header(rows):
        options["column_names"] = [f"column_{number}" for number in range(1, len(rows[0]) + 1)]
        reasons["column_names"] = f"the first row names no columns: {', '.join(rows[0])[:60]}"
        name = path.rpartition("/")[2]
        doubts.append((f"{name} has no header", "Name the columns as you call them, in `column_names` and `columns`."))
    return CsvDialect(options, reasons, tuple(doubts))


def _encoding(content: bytes) -> tuple[str, str, list[tuple[str, str]]]:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16", "the file begins with its mark", []
    try:
        content.removeprefix(b"\xef\xbb\xbf").decode("utf-8")
        return "utf-8", "", []
    except UnicodeDecodeError as error:
        if error.start >= len(content) - 4:  # the last character is cut off
            return "utf-8", "", []
        shown = content[max(0, error.start - 10) : error.start + 10].decode("cp1252", errors="replace")
    doubt = (f"The text is not UTF-8; read as cp1252 it says e.g. {shown!r}", "Correct `encoding` if that is wrong.")
    return "cp1252", f"not UTF-8; e.g. {shown!r}", [doubt]


def _delimiter(lines: list[str]) -> str | None:
    """What divides most lines into the same number of columns, as many as the first line has; then into most."""
    best: tuple[float, int] = (0.5, 1)
    found = None
    for candidate in DELIMITERS:
        rows = _rows(lines, candidate, '"' if len(candidate) == 1 else None)
        widths = Counter(len(row) for row in rows)
        width = len(rows[0]) if rows else 1
        if width < 2:
            continue
        share = round(widths[width] / len(rows), 2)
        if (share, width) > best:
            best, found = (share, width), candidate
    return found


def _quote(lines: list[str], delimiter: str) -> str | None:
    """Off for long delimiters, and where lines are divided evenly only without it."""
    if len(delimiter) > 1:
        return None
    if not any('"' in line for line in lines):
        return '"'
    quoted, plain = (_rows(lines, delimiter, quote) for quote in ('"', None))
    return None if _evenness(plain) == 1 and len(quoted) < len(plain) else '"'


def _evenness(rows: list[list[str]]) -> float:
    return sum(len(row) == len(rows[0]) for row in rows) / len(rows)


def _rows(lines: Sequence[str], delimiter: str, quote: str | None) -> list[list[str]]:
    if len(delimiter) > 1:
        return [line.split(delimiter) for line in lines if line]
    escaped = quote is not None and any(ESCAPED in line for line in lines)
    reader = csv.reader(
        (f"{line}\n" for line in lines),
        delimiter=delimiter,
        quotechar=quote or '"',
        quoting=csv.QUOTE_NONE if quote is None else csv.QUOTE_MINIMAL,
        escapechar=ESCAPED[0] if escaped else None,
        doublequote=not escaped,
    )
    return [row for row in reader if row]


def _has_header(rows: list[list[str]]) -> bool:
    """Names neither look like numbers or times, nor come again among the values of their columns."""
    first, rest = [value.strip() for value in rows[0]], rows[1:]
    if any(re.fullmatch(r"[-+]?[\d.,:/ TZ-]*\d[\d.,:/ TZ+-]*", value) for value in first):
        return False
    if any(KNOWN & set(tokens(value)) for value in first) or not rest:
        return True
    columns = [{row[place] for row in rest if place < len(row)} for place in range(len(first))]
    return not any(value and value in seen for value, seen in zip(first, columns, strict=True))
