"""What a column holds, as its values tell: ids, numbers, truth values, lists or text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import polars as pl
import pyarrow as pa

from remora.ingest.casting import DECIMAL_COMMA, THOUSANDS_POINTS, read_as
from remora.project.proposal.sample import TableSample
from remora.settings import SourceSettings

Kind = Literal["integer", "number", "boolean", "text", "list", "time", "other", "empty"]

NEARLY_ALL = 0.99

NULL_WORDS = ("NULL", "null", "(null)", "<null>", "\\N", "NaN", "nan", "None", "none", "NA", "N/A", "n/a", "#N/A", "-")
"""Texts that commonly mean `no value`."""

SURE_NULLS = ("NULL", "null", "(null)", "<null>", "\\N", "NaN", "nan", "None", "#N/A")
"""Those that mean nothing else, whatever the column; `NA` is a country, too."""

BOOLEANS = ({"true", "false"}, {"t", "f"}, {"yes", "no"}, {"y", "n"})

SEPARATORS = ("|", ";", ", ", ",", " / ", "/", " ")

_NUMBER = r"^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$"


@dataclass(frozen=True, eq=False)
class ColumnFacts:
    """One column of a sample, with what the settings of its source say of texts that mean `no value`.

    ``unread``: the lake does not have its type.
    """

    name: str
    raw: pl.Series
    source: SourceSettings
    unread: bool = False

    @cached_property
    def ids(self) -> pl.Series:
        """The values as ids are in the lake: text, whole numbers without a point, null where there is no value."""
        if self.raw.dtype == pl.Null or not _has_text(self.raw.dtype):
            return pl.Series(self.name, [None] * len(self.raw), pl.String)
        frame = self.raw.to_frame(self.name)
        found = frame.select(read_as(pa.string(), self.name, self.raw.dtype, self.source)).to_series()
        whole = found.str.replace(r"^(\d+)\.0+$", "$1") if self.whole_floats else found
        return whole.replace("", None)

    @cached_property
    def whole_floats(self) -> bool:
        """Is it text of whole numbers with a point, such as 17850.0?"""
        texts = self.texts
        return bool(len(texts)) and bool(texts.str.contains(r"^\d+(\.0+)?$").all() and texts.str.contains(r"\.").any())

    @cached_property
    def texts(self) -> pl.Series:
        """The texts of a column of text, stripped, without those that mean `no value`; empty for other columns."""
        dtype = self.raw.dtype
        if not isinstance(dtype, pl.String | pl.Categorical | pl.Enum):
            return pl.Series(self.name, [], pl.String)
        texts = self.raw.cast(pl.String).drop_nulls()
        stripped = texts.filter(~texts.is_in(self.source.null_values)).str.strip_chars()
        return stripped.filter(stripped != "")

    @cached_property
    def null_share(self) -> float:
        """Of the rows, how many have no value."""
        rows = max(len(self.raw), 1)
        if isinstance(self.raw.dtype, pl.String | pl.Categorical | pl.Enum):
            return 1 - len(self.texts) / rows
        missing = self.raw.fill_nan(None) if self.raw.dtype.is_float() else self.raw
        return missing.null_count() / rows

    @cached_property
    def distinct(self) -> int:
        """Different values, without null."""
        return int(self.ids.drop_nulls().n_unique())

    @property
    def rows(self) -> int:
        """Rows of the sample."""
        return len(self.raw)

    @cached_property
    def kind(self) -> Kind:
        """What the values are; text is looked into."""
        dtype = self.raw.dtype
        if self.null_share == 1 or dtype == pl.Null:
            return "empty"
        if self.unread:
            return "other"
        if dtype == pl.Boolean:
            return "boolean"
        if dtype.is_integer():
            return "integer"
        if dtype.is_float() or dtype.is_decimal():
            return "number"
        if isinstance(dtype, pl.Datetime | pl.Date):
            return "time"
        if isinstance(dtype, pl.List):
            return "list" if dtype.inner in (pl.String, pl.Categorical) else "other"
        return self._kind_of_text() if len(self.texts) else "other"

    def _kind_of_text(self) -> Kind:
        texts = self.texts
        if texts.n_unique() <= 2 and any(set(texts.str.to_lowercase().unique()) <= words for words in BOOLEANS):
            return "boolean"
        if texts.str.contains(r"^0\d").any() and texts.str.contains(r"^\d+$").mean() >= NEARLY_ALL:  # type: ignore[operator]
            return "text"  # zeros before a number: a code
        if texts.str.contains(r"^[+-]?\d+(\.0+)?$").mean() >= NEARLY_ALL:  # type: ignore[operator]
            return "integer"
        pattern = DECIMAL_COMMA if self.source.decimal == "," else _NUMBER
        return "number" if texts.str.contains(pattern).mean() >= NEARLY_ALL else "text"  # type: ignore[operator]

    @cached_property
    def numbers(self) -> pl.Series:
        """The values as numbers, float64, null where a value is no number."""
        if self.raw.dtype == pl.Boolean or not _has_text(self.raw.dtype):
            return pl.Series(self.name, [None] * len(self.raw), pl.Float64)
        frame = self.raw.to_frame(self.name)
        return frame.select(read_as(pa.float64(), self.name, self.raw.dtype, self.source)).to_series()

    @property
    def low(self) -> float:
        """The least number; NaN where there is no number."""
        return float(self.numbers.min() or 0.0) if self.numbers.null_count() < self.rows else float("nan")  # type: ignore[arg-type]

    @property
    def high(self) -> float:
        """The greatest number; NaN where there is no number."""
        return float(self.numbers.max() or 0.0) if self.numbers.null_count() < self.rows else float("nan")  # type: ignore[arg-type]

    @cached_property
    def words(self) -> float:
        """Words of a text, on average."""
        return float(self.texts.head(20_000).str.count_matches(r"\S+").mean() or 0.0)  # type: ignore[arg-type]

    @cached_property
    def separator(self) -> str | None:
        """What divides the members of lists in text, None where the values are no lists.

        Members come again in other combinations: there are fewer of them than of different values.
        """
        texts = self.texts.head(50_000)
        whole = texts.n_unique()
        for separator in SEPARATORS:
            divided = texts.str.contains(separator, literal=True).mean() or 0.0
            if len(texts) and divided >= 0.2 and self.kind == "text":  # type: ignore[operator]
                members = texts.str.split(separator).explode().str.strip_chars()
                if members.n_unique() <= max(2, whole / 2) and members.str.len_chars().max() <= 40:  # type: ignore[operator]
                    return separator
        return None

    def examples(self, most: int = 3) -> str:
        """Some values, in the order in which they come."""
        some = self.ids.drop_nulls().unique(maintain_order=True).head(most).to_list()
        return ", ".join(value if len(value) <= 24 else f"{value[:23]}…" for value in some)


def _has_text(dtype: pl.DataType) -> bool:
    return not isinstance(dtype, pl.List | pl.Array | pl.Struct | pl.Time | pl.Duration | pl.Binary | pl.Object)


def column_facts(sample: TableSample) -> tuple[dict[str, ColumnFacts], SourceSettings]:
    """The columns of a sample by name, and the settings of its source with decimals and null words."""
    options: dict[str, object] = {}
    columns = _with(sample, options)
    if words := _null_words(columns):
        options["null_values"] = ["", *words]
        columns = _with(sample, options)
    if any(_decimal_comma(column) for column in columns.values()):
        options["decimal"] = ","
        columns = _with(sample, options)
    return columns, sample.described(**options)


def _with(sample: TableSample, options: Mapping[str, object]) -> dict[str, ColumnFacts]:
    source = sample.described(**options)
    return {s.name: ColumnFacts(s.name, s, source, s.name in sample.unread) for s in sample.rows}


def _null_words(columns: Mapping[str, ColumnFacts]) -> list[str]:
    """Words that stand in place of a value: the sure ones anywhere, the others among numbers and in ids alone."""
    found = set()
    for column in columns.values():
        texts = column.texts
        if not len(texts):
            continue
        there = set(texts.filter(texts.is_in(NULL_WORDS)).unique().to_list())
        others = texts.filter(~texts.is_in(NULL_WORDS))
        numeric = len(others) > 0 and bool(others.head(10_000).str.contains(r"^[+-]?[\d.,: TZ-]*\d$").all())
        found |= {word for word in there if numeric or word in SURE_NULLS}
    return [word for word in NULL_WORDS if word in found]


def _decimal_comma(column: ColumnFacts) -> bool:
    """Do all of its values, and not by chance, have a comma before their fraction?"""
    texts = column.texts.head(50_000)
    with_comma = texts.filter(texts.str.contains(",", literal=True))
    if len(with_comma) < max(3, 0.02 * len(texts)) or not texts.str.contains(DECIMAL_COMMA).all():
        return False
    # 1,234 and 12,345 alone are thousands in English.
    return not bool(with_comma.str.replace_all(",", ".").str.contains(THOUSANDS_POINTS).all())


def is_plain(name: str) -> bool:
    """Is a name a word in small letters, which SQL and YAML take as it is?"""
    return re.fullmatch(r"[a-z][a-z0-9_]*", name) is not None
