"""Which column of a table has the ids that events name?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product

import polars as pl

from remora.project.proposal.columns import ColumnFacts
from remora.project.proposal.words import ID, is_numbered, likeness, tokens

LEAST_OVERLAP = 0.2
MOST_IDS = 100_000
TRIED = 20
"""Pairs of columns of each table, the likeliest, that are tried together with those of the other."""

Words = frozenset[str]


@dataclass(frozen=True)
class KeyMatch:
    """A column of events and the one of a table whose ids it names; ``overlap`` is the share of ids that are there.

    ``respelt``: the share where case, zeros before a number and quotes do not count.
    """

    column: str
    key: str
    overlap: float
    respelt: float

    @property
    def why(self) -> str:
        """The evidence."""
        return f"{self.overlap:.1%} of the ids in '{self.column}' of events are in '{self.key}'"


def match_keys(
    events: Mapping[str, ColumnFacts], tables: Mapping[str, tuple[Mapping[str, ColumnFacts], Words, Words]]
) -> dict[str, KeyMatch]:
    """By table, the columns that are most likely the id of its words (and not of the others') on both sides.

    ``tables`` has the columns of each, the words for its ids and those for other ids. Ids that are there count most;
    names decide between tables whose ids are the same numbers; no two tables have one column of events.
    """
    scored = {
        name: sorted(_matches(events, columns, words, others), key=lambda found: -found[0])[:TRIED]
        for name, (columns, words, others) in tables.items()
    }
    best: tuple[float, dict[str, KeyMatch]] = (0.0, {})
    for chosen in product(*([None, *found] for found in scored.values())):
        there = {name: one for name, one in zip(scored, chosen, strict=True) if one is not None}
        if len({match.column for _, match in there.values()}) == len(there):
            score = sum(score for score, _ in there.values())
            if score > best[0]:
                best = score, {name: match for name, (_, match) in there.items()}
    return best[1]


def _matches(
    events: Mapping[str, ColumnFacts], table: Mapping[str, ColumnFacts], words: Words, others: Words
) -> Iterator[tuple[float, KeyMatch]]:
    keys = {key: _ids(column) for key, column in table.items() if _may_be_key(column)}
    for name, column in events.items():
        if not _may_be_id(column):
            continue
        ids = _ids(column)
        for key, there in keys.items():
            match = KeyMatch(name, key, _overlap(ids, there), _overlap(_folded(ids), _folded(there)))
            if max(match.overlap, match.respelt) >= LEAST_OVERLAP:
                score = max(match.overlap, 0.9 * match.respelt) + _by_names(name, key, words, others)
                yield score + 0.3 * table[key].distinct / max(table[key].rows, 1), match


def _by_names(name: str, key: str, words: Words, others: Words) -> float:
    alike = 0.5 if tokens(name) == tokens(key) and not is_numbered(name) else 0.0
    own = likeness(name, words) / 6 + (likeness(key, words) / 6 if set(tokens(key)) - ID else 0.3)
    return alike + own - likeness(name, others) / 6 - likeness(key, others) / 6


def _may_be_key(column: ColumnFacts) -> bool:
    """Is it nearly always there, of ids, and not of a few classes?"""
    return column.kind in ("integer", "text", "number") and column.null_share < 0.1 and _identifies(column)


def _identifies(column: ColumnFacts) -> bool:
    return column.distinct > 0.02 * column.rows or column.distinct > 50


def _may_be_id(column: ColumnFacts) -> bool:
    return column.kind in ("integer", "text", "number") and column.distinct >= 2


def _ids(column: ColumnFacts) -> pl.Series:
    return column.ids.drop_nulls().unique().sort().head(MOST_IDS)


def _overlap(ids: pl.Series, there: pl.Series) -> float:
    return float(ids.is_in(there.implode()).mean() or 0.0) if len(ids) else 0.0  # type: ignore[arg-type]


def _folded(ids: pl.Series) -> pl.Series:
    return ids.str.strip_chars("\"' ").str.to_lowercase().str.strip_chars_start("0").unique()
