"""Item features in memory, as of an instant: one row per item of the vocabulary, in its order."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from remora.core.errors import MissingInput, UnreadableInput
from remora.core.json_document import parse_document
from remora.core.tables import ITEM_ID, ITEM_PROFILE, TIMESTAMP
from remora.core.vocabulary import ItemCodes, Vocabulary
from remora.features.transforms.cross import CATEGORIES, spread
from remora.ingest.lake import Lake
from remora.settings import Settings

if TYPE_CHECKING:
    from feast import FeatureStore

METADATA = b"remora.snapshot"

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class SnapshotMetadata:
    """What the file of a snapshot says beside its table."""

    instant: datetime
    category_names: tuple[str, ...]
    title_column: str | None
    available_column: str | None


@dataclass(frozen=True, eq=False)
class ItemSnapshot:
    """What is known of every item at ``instant``; n is the size of the vocabulary.

    ``table`` has ``item_id`` and the columns ``item_activity__*``, ``item_catalogue__*`` and ``item_profile__*``, row i
    for vocabulary row i. ``category_names`` lists the categories, the most frequent in the catalogue first.
    ``title_column`` and ``available_column`` name columns of the table, None where the data declares none.
    """

    vocabulary: Vocabulary
    instant: datetime
    table: pa.Table
    category_names: tuple[str, ...] = ()
    title_column: str | None = None
    available_column: str | None = None

    @classmethod
    def take(
        cls, store: FeatureStore, lake: Lake, vocabulary: Vocabulary, settings: Settings, instant: datetime
    ) -> ItemSnapshot:
        """Read the items of the vocabulary from Feast's offline store as they were at ``instant`` (UTC)."""
        return cls.take_many(store, lake, vocabulary, settings, [instant])[0]

    @classmethod
    def take_many(
        cls, store: FeatureStore, lake: Lake, vocabulary: Vocabulary, settings: Settings, instants: Sequence[datetime]
    ) -> list[ItemSnapshot]:
        """Snapshots at several instants by one question to Feast."""
        from remora.features.offline import historical
        from remora.features.tables import FeatureTables

        n = len(vocabulary)
        entity_rows = {ITEM_ID: pa.chunked_array([vocabulary.ids] * len(instants), pa.string())}
        entity_rows["instant"] = pa.array(list(instants), TIMESTAMP).take(
            pa.array(np.repeat(np.arange(len(instants)), n))
        )
        every = historical(store, pa.table(entity_rows), "item_snapshot").drop_columns(["instant"]).combine_chunks()
        named = {"title": settings.data.title, "available": settings.data.available}
        columns = {kind: f"{ITEM_PROFILE}{name}" if name else None for kind, name in named.items()}
        categories = tuple(FeatureTables.open(lake.artifact.home).categories)
        return [
            cls(
                vocabulary=vocabulary,
                instant=instant,
                table=every.slice(number * n, n),
                category_names=categories,
                title_column=columns["title"],
                available_column=columns["available"],
            )
            for number, instant in enumerate(instants)
        ]

    def column(self, name: str) -> npt.NDArray[Any]:
        """One column of the table, shape (n,); MissingInput lists the columns there are.

        Numbers and truths are float32 with NaN for null, but doubles stay float64 (seconds since 1970 need the
        digits), as do timestamps; everything else is objects.
        """
        if name not in self._columns:
            self._columns[name] = self._read(name)
        return self._columns[name]

    @cached_property
    def available(self) -> npt.NDArray[np.bool_]:
        """May the item be shown: it is in the catalogue at the instant, and not marked unavailable. Shape (n,)."""
        # The join gives nulls for an item that the catalogue did not have yet.
        there = pc.is_valid(self.table["item_catalogue__in_catalogue"])
        if self.available_column is not None:
            there = pc.and_(there, pc.fill_null(self.table[self.available_column], True))
        return there.to_numpy()

    @cached_property
    def categories(self) -> npt.NDArray[np.int32]:
        """Numbers of each item's categories in ``category_names``, shape (n, m), padded with -1; m >= 1."""
        if CATEGORIES not in self.table.column_names:
            return np.full((len(self.vocabulary), 1), -1, np.int32)
        lists = self.table[CATEGORIES]
        lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy()
        numbers: npt.NDArray[np.int32] = spread(lengths, pc.list_flatten(lists).to_numpy(), -1, np.int32)
        return numbers if numbers.shape[1] else np.full((len(lists), 1), -1, np.int32)

    @cached_property
    def popularity(self) -> Floats:
        """Wanted events ever, weighted, shape (n,); 0 for an item without events."""
        return np.nan_to_num(self.column("item_activity__popularity"))

    @cached_property
    def trend(self) -> Floats:
        """How much the item is wanted lately, and more than usual, shape (n,); 0 for an item without events."""
        return np.nan_to_num(self.column("item_activity__trend"))

    @cached_property
    def most_popular(self) -> ItemCodes:
        """All rows, the most popular first, ties by row: shape (n,)."""
        return np.argsort(-self.popularity, kind="stable").astype(np.int32)

    @cached_property
    def most_trending(self) -> ItemCodes:
        """All rows, those of the highest trend first, ties by row: shape (n,)."""
        return np.argsort(-self.trend, kind="stable").astype(np.int32)

    @cached_property
    def age_days(self) -> Floats:
        """Since the item came into the catalogue, or since its first event where no time of that is known; shape (n,).

        NaN for an item of which neither is known, and for one that has not come yet.
        """
        entered, first = self.column("item_catalogue__entered_at"), self.column("item_activity__first_event_at")
        age = (self.instant.timestamp() - np.where(np.isnan(entered), first, entered)) / 86_400
        return np.where(age >= 0, age, np.nan).astype(np.float32)

    def new(self, days: float) -> npt.NDArray[np.bool_]:
        """Is the item available and not older than that, or without an event yet? Shape (n,)."""
        untouched = np.isnan(self.column("item_activity__first_event_at"))
        return self.available & (untouched | (self.age_days <= days))

    @cached_property
    def titles(self) -> list[str | None]:
        """What people are shown, one a row; None where the source has no title.

        A title that is a number, a truth value or a time in the data is its text; the members of a list stand in a row.
        """
        if self.title_column is None:
            return [None] * len(self.vocabulary)
        return as_texts(self.table[self.title_column])

    def save(self, path: str | Path) -> None:
        """Write one Parquet file that :meth:`load` reads."""
        about = {
            "instant": self.instant.isoformat(),
            "category_names": self.category_names,
            "title_column": self.title_column,
            "available_column": self.available_column,
        }
        pq.write_table(
            self.table.replace_schema_metadata({METADATA: json.dumps(about)}),
            path,
            compression="zstd",
            write_page_checksum=True,
        )

    @classmethod
    def load(cls, path: str | Path) -> ItemSnapshot:
        """What :meth:`save` wrote; UnreadableInput when the file is something else."""
        table = pq.read_table(path, page_checksum_verification=True)
        written = (table.schema.metadata or {}).get(METADATA)
        if written is None:
            raise UnreadableInput(str(path), "it is not an item snapshot", "Build the bundle again.")
        about = parse_document(written, str(path), SnapshotMetadata, "Build the bundle again.")
        return cls(vocabulary=Vocabulary(table[ITEM_ID]), table=table.replace_schema_metadata(), **asdict(about))

    @cached_property
    def _columns(self) -> dict[str, npt.NDArray[Any]]:
        return {}

    def _read(self, name: str) -> npt.NDArray[Any]:
        if name not in self.table.column_names:
            raise MissingInput("column of the item snapshot", name, self.table.column_names)
        column, kind = self.table[name], self.table.schema.field(name).type
        if pa.types.is_timestamp(kind):
            return pc.divide(column.cast(pa.int64()).cast(pa.float64()), 1e6).to_numpy()
        if pa.types.is_float64(kind):
            return column.to_numpy()
        if pa.types.is_boolean(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind):
            return column.cast(pa.float32(), safe=False).to_numpy()
        if pa.types.is_string(kind) or pa.types.is_large_string(kind):
            return column.to_numpy()
        return np.fromiter(column.to_pylist(), object, len(column))


def as_texts(column: pa.ChunkedArray) -> list[str | None]:
    """Values of any of the lake's types as text, shape (n,).

    >>> as_texts(pa.chunked_array([[1984, None]])), as_texts(pa.chunked_array([[["Thing", "two"], []]]))
    (['1984', None], ['Thing, two', ''])
    """
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        texts: list[str | None] = column.to_numpy().tolist()
        return texts
    if pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
        return [None if row is None else ", ".join(str(v) for v in row if v is not None) for row in column.to_pylist()]
    cast: list[str | None] = column.cast(pa.string()).to_pylist()
    return cast
