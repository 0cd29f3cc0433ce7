"""What the users of a segment want most: for people of whom nothing is known but, say, their country."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from remora.core.errors import MissingInput
from remora.core.json_document import parse_document
from remora.core.tables import EVENT_TYPE, USER_ID
from remora.core.vocabulary import ItemCodes, Vocabulary
from remora.pipeline.candidates import EMPTY, Floats, Retrieved
from remora.retrieval.models.segment_popularity import SegmentPopularity
from remora.retrieval.neighbours import Neighbours
from remora.retrieval.positive_events import COLUMNS, positive_events, rows_of
from remora.settings import Settings

if TYPE_CHECKING:
    from ray.data import Dataset

SEGMENT, ABOUT = "segment", b"remora.segments"
TRUTHS = {"true": 1.0, "false": 0.0}
MOST_ITEMS = 1_000
"""Kept of a segment, best first; behind them stands what everyone wants."""


@dataclass(frozen=True)
class Segments:
    """``names`` of the segments, and for each the list at its place: item rows by their share of what it wants."""

    names: tuple[str, ...]
    lists: Neighbours

    def of(self, value: object) -> Retrieved:
        """The items of the segment that a value means, best first; nothing for one that is not known."""
        name = self.named(value)
        return EMPTY if name is None else self.lists.of(self.names.index(name))

    def named(self, value: object) -> str | None:
        """The segment that a value means, however a table, a feature store or a caller writes it; None for no segment.

        What is written alike goes before what means the same: true, "True", 1, 1.0 and "1" are one where the data has
        one of them.
        """
        name = segment_name(value)
        if name is None or name in self.names:
            return name
        alike = [known for known in self.names if _meaning(known) == _meaning(name)]
        return alike[0] if len(alike) == 1 else None

    def save(self, path: Path | str) -> None:
        """Write one Parquet file with columns segment, item (its row), share."""
        place = np.repeat(np.arange(len(self.names)), np.diff(self.lists.starts))
        table = pa.table({SEGMENT: place.astype(np.int32), "item": self.lists.rows, "share": self.lists.scores})
        pq.write_table(table.replace_schema_metadata({ABOUT: json.dumps(self.names)}), path, write_page_checksum=True)

    @classmethod
    def load(cls, path: Path | str) -> Segments:
        """What :meth:`save` wrote; UnreadableInput when the file is something else."""
        table = pq.read_table(path, page_checksum_verification=True)
        written = (table.schema.metadata or {}).get(ABOUT, b"")
        names = parse_document(written, str(path), tuple[str, ...], "Build the bundle again.")
        return cls(names, Neighbours.of_sorted(len(names), *(table[c].to_numpy() for c in (SEGMENT, "item", "share"))))

    @classmethod
    def of_lists(cls, lists: Mapping[str, tuple[ItemCodes, Floats]]) -> Segments:
        """From each segment's item rows (n,), best first, and their shares (n,)."""
        place = np.repeat(np.arange(len(lists)), [len(rows) for rows, _ in lists.values()])
        columns = [np.concatenate(column) for column in zip(*lists.values(), strict=True)] if lists else [(), ()]
        return cls(tuple(lists), Neighbours.of_sorted(len(lists), place, *columns))


def segment_name(value: object) -> str | None:
    """How a value of the segment's column is named, whether a table, a feature store or a caller has it; None for none.

    >>> segment_name(25.0), segment_name(25), segment_name("25"), segment_name(float("nan")), segment_name(True)
    ('25', '25', '25', None, 'true')
    """
    if value is None or value == "" or value != value:
        return None
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _meaning(name: str) -> str | float:
    """What two names have in common that mean the same: truth values and numbers as numbers, any other as it is."""
    if name.lower() in TRUTHS:
        return TRUTHS[name.lower()]
    try:
        number = float(name)
    except ValueError:
        return name
    return number if isfinite(number) else name


def count(
    events: Dataset,
    users: pa.Table,
    vocabulary: Vocabulary,
    settings: Settings,
    as_of: datetime,
    config: SegmentPopularity.Config,
) -> Segments:
    """Count on Ray Data what each segment of ``users`` wanted strictly before ``as_of``, by the weights of events.

    An item's share of a segment is ``(n + prior * p) / (N + prior)``: n of the segment's N positive events are of it, p
    is its share of all users', and ``prior`` is ``smoothing_events`` (Dirichlet smoothing; Zhai and Lafferty,
    SIGIR 2001), so a segment of few people wants nearly what everyone wants.
    MissingInput when ``users`` lacks the column that ``config`` names.
    """
    column = config.column
    if column not in users.column_names:
        raise MissingInput("column of users", column, users.column_names, "A model of retrieval.models names it.")
    rows = rows_of(vocabulary)
    weights = {name: kind.weight for name, kind in settings.data.event_types.items()}

    def of_block(block: pa.Table, members: pl.DataFrame) -> Iterator[Any]:
        found = positive_events(pl.DataFrame(pl.from_arrow(block)), rows, settings, as_of)
        weight = pl.col(EVENT_TYPE).replace_strict(weights, return_dtype=pl.Float64)
        yield found.join(members, on=USER_ID).group_by(SEGMENT, "row").agg(weight.sum().alias("weight")).to_arrow()

    parts = (
        events.select_columns([*COLUMNS])
        .map_batches(of_block, batch_format="pyarrow", batch_size=None, fn_kwargs={"members": _members(users, column)})  # type: ignore[arg-type]
        .iter_batches(batch_format="pyarrow", batch_size=None)
    )
    return _best(parts, len(vocabulary), config.smoothing_events)


def _members(users: pa.Table, column: str) -> pl.DataFrame:
    named = pl.col(column).map_elements(segment_name, return_dtype=pl.String).alias(SEGMENT)
    return pl.DataFrame(pl.from_arrow(users.select([USER_ID, column]))).select(USER_ID, named).drop_nulls()


def _best(parts: Iterable[pa.Table], items: int, prior: float) -> Segments:
    found = [pl.DataFrame(pl.from_arrow(part)) for part in parts if len(part)]
    if not found:
        return Segments.of_lists({})
    counts = pl.concat(found).group_by(SEGMENT, "row").agg(pl.col("weight").sum())
    row, weight = counts["row"].to_numpy(), counts["weight"].to_numpy()
    share = np.bincount(row, weight, minlength=items) / weight.sum()
    lists = {}
    for (name,), of_it in sorted(counts.group_by([SEGMENT]), key=lambda one: one[0]):
        own = np.bincount(of_it["row"].to_numpy(), of_it["weight"].to_numpy(), minlength=items)
        smoothed = (own + prior * share) / (own.sum() + prior)
        best = np.argsort(-smoothed, kind="stable")[:MOST_ITEMS]
        best = best[smoothed[best] > 0]
        lists[str(name)] = (best.astype(np.int32), smoothed[best].astype(np.float32))
    return Segments.of_lists(lists)
