"""The join: every entity row with what each view held at its instant.

Three ways, chosen per view by size, with equal results:

* **inline**: rows that lie in this process, and small views, are joined here, without Ray.
* **broadcast**: a view that fits ``broadcast_mb`` is sorted once, lies in Ray's object store, and every block of asked
  rows looks up its answers there. The entity rows stream through and never move.
* **partitioned**: a larger view and the entity rows are hash-partitioned by the join keys with Ray Data; each partition
  sorts its part of the view. Views with the same keys share one pass.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

import polars as pl
import pyarrow as pa

from remora.core.errors import DataError, MissingInput, StorageError
from remora.features.point_in_time.entity_rows import BLOCK_ROWS, ROW, EntityRows, numbered
from remora.features.point_in_time.join_report import Counts, Note, counted, noting
from remora.features.point_in_time.keys import buckets, check_keys, keys
from remora.features.point_in_time.source import Slice
from remora.features.point_in_time.timeline import Timeline
from remora.features.point_in_time.times import Unit, ticks, ticks_of, unit_of
from remora.features.point_in_time.views import View

if TYPE_CHECKING:
    from ray.data import Dataset

Strategy = Literal["inline", "broadcast", "partitioned"]

INLINE_ROWS = 2_000_000  # a second of work here; a plan of Ray Data takes as long to start
MIB = 1 << 20

BUCKET, SIDE, ORDER, PIECE = "bucket", "side", "order", "piece"
ENTITY_SIDE = -1


@dataclass(frozen=True, kw_only=True)
class Join:
    """Entity rows and views. ``broadcast_mb`` bounds what one worker holds of a view; ``partitions`` of a hash pass,
    None: by size. ``now`` only counts rows that ask for the future."""

    entity_rows: EntityRows
    views: tuple[View, ...]
    now: datetime
    broadcast_mb: int = 256
    partitions: int | None = None
    unit: Unit = field(init=False)

    def __post_init__(self) -> None:
        schema = self.entity_rows.schema
        kinds = [schema.field(self.entity_rows.timestamp).type]
        for view in self.views:
            for name, stored in view.join_keys:
                if name not in schema.names:
                    raise MissingInput(
                        "column of the entity rows", name, schema.names, f"View '{view.name}' joins on it."
                    )
                where = f"the source of '{view.name}'"
                check_keys(schema.field(name).type, view.source.kind(stored), name, where)
            kinds += [view.source.kind(c) for c in (view.timestamp, view.created, view.known) if c]
        object.__setattr__(self, "unit", unit_of(kinds))
        names = [ROW, *schema.names, *(name for view in self.views for _, name in view.features)]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise DataError(
                f"Two columns of the answer would be called {', '.join(twice)}. Ask with full_feature_names=True, or "
                f"rename a column of the entity rows."
            )

    def strategy(self, view: View) -> Strategy:
        """How a view is joined."""
        if view.bytes > self.broadcast_mb * MIB:
            return "partitioned"
        small = self.entity_rows.table is not None and self.entity_rows.rows <= INLINE_ROWS
        return "inline" if small and all(v.bytes <= self.broadcast_mb * MIB for v in self.views) else "broadcast"

    def table(self, counts: Counts) -> pa.Table | None:
        """The answer in the order asked, with :data:`ROW`; None unless every view is joined inline."""
        if not self.entity_rows.rows:
            return self._stage(self.views).nothing()
        if self.entity_rows.table is None or {self.strategy(view) for view in self.views} - {"inline"}:
            return None
        timelines = [timeline(view, self.unit) for view in self.views]
        return _answer(numbered(self.entity_rows.table, 0), timelines, self._stage(()), counts.add)

    def dataset(self, counts_actor: Any | None) -> Dataset:
        """The answer as a lazy Ray Dataset, with :data:`ROW`, in no particular order once a view is partitioned.

        ``counts_actor`` is an actor with :meth:`Counts.add`; without one nothing is counted.
        """
        if not self.entity_rows.rows:
            import ray.data

            return ray.data.from_arrow(self._stage(self.views).nothing())
        rows, done = self.entity_rows.dataset(), self._stage(())
        large = [view for view in self.views if self.strategy(view) == "partitioned"]
        for keys_ in dict.fromkeys(tuple(view.join_keys) for view in large):
            # Views on the same keys travel in one shuffle.
            together = tuple(view for view in large if view.join_keys == keys_)
            rows = _partitioned(rows, together, done, counts_actor)
            done = self._stage((*done.views, *together))
        small = tuple(view for view in self.views if self.strategy(view) != "partitioned")
        if small:
            rows = rows.map_batches(
                _Broadcast(done, _timelines(small, self.unit), counts_actor), batch_format="pyarrow", batch_size=None
            )
        return rows

    @property
    def is_shuffled(self) -> bool:
        """Do rows change places, because some view is partitioned?"""
        return any(self.strategy(view) == "partitioned" for view in self.views)

    @property
    def columns(self) -> list[str]:
        """Columns of the answer, in order."""
        return [*self.entity_rows.schema.names, *(name for view in self.views for _, name in view.features)]

    def check(self, rows_out: int, counts: Counts) -> None:
        """StorageError unless every entity row came back, and every view answered for every row, once."""
        per_view = {view.name: int(counts.of(view.name)["rows"]) for view in self.views}
        if rows_out != self.entity_rows.rows or set(per_view.values()) - {self.entity_rows.rows}:
            raise StorageError(
                f"{self.entity_rows.rows:,} rows were asked for and {rows_out:,} came back (looked up per view: "
                f"{per_view}). Nothing was written. Run it again; if it happens twice, report it with this message."
            )

    def _stage(self, views: tuple[View, ...]) -> _Stage:
        now = ticks_of(self.now, self.unit)
        return _Stage(self.entity_rows.schema, self.entity_rows.timestamp, views, self.unit, now, self._buckets())

    def _buckets(self) -> int:
        stored = sum(view.source.rows for view in self.views)
        return self.partitions or max(8, -(-(self.entity_rows.rows + stored) // (2 * BLOCK_ROWS)))


@dataclass(frozen=True)
class _Stage:
    """What a worker needs to know of the join. ``views`` are those that earlier stages answered."""

    schema: pa.Schema
    timestamp: str
    views: tuple[View, ...]
    unit: Unit
    now: int
    buckets: int

    def nothing(self) -> pa.Table:
        """No rows, with the columns that rows have here."""
        fields = [*self.schema, pa.field(ROW, pa.int64())]
        fields += [pa.field(name, view.source.kind(c)) for view in self.views for c, name in view.features]
        return pa.schema(fields).empty_table()


def timeline(view: View, unit: Unit) -> Timeline:
    """The whole view, read and sorted."""
    slices = view.source.slices(4 * BLOCK_ROWS)
    return Timeline.build(view, unit, pa.concat_tables([view.source.read(one, view.read) for one in slices]))


def _timelines(views: tuple[View, ...], unit: Unit) -> list[Any]:
    import ray

    task = ray.remote(timeline)
    return [task.remote(view, unit) for view in views]


@dataclass(frozen=True)
class _Broadcast:
    stage: _Stage
    timelines: list[Any]  # references
    counts_actor: Any

    def __call__(self, rows: pa.Table) -> pa.Table:
        import ray

        return _answer(rows, ray.get(self.timelines), self.stage, noting(self.counts_actor))


def _answer(rows: pa.Table, timelines: list[Timeline], stage: _Stage, note: Note) -> pa.Table:
    """``rows`` with the features of some views; notes what happened."""
    instants, there = ticks(rows[stage.timestamp], stage.unit)
    if not there.all():
        raise DataError(
            f"{int((~there).sum()):,} of the entity rows have no '{stage.timestamp}', the first is row "
            f"{rows[ROW][int(there.argmin())].as_py():,}. Every row needs the instant it is asked for."
        )
    # The number of the first row names the block in the tally: a task that runs again counts once.
    block = rows[ROW][0].as_py() if len(rows) else -1
    for at in timelines:
        view = at.view
        kinds = [view.source.kind(column) for column in view.source_keys]
        match = at.at(keys(rows, view.entity_keys, view.key_names, kinds), instants)
        future = int((instants > stage.now).sum())
        note(view.name, block, counted(match, stage.unit, future))
        features = at.take(match)
        for name in features.column_names:
            rows = rows.append_column(name, features[name])
    return rows


def shaped(table: pa.Table, columns: Sequence[str], compute: Callable[[pa.Table], pa.Table] | None) -> pa.Table:
    """The columns of an answer, and what is computed of them."""
    table = table.select(columns)
    return compute(table) if compute else table


def _partitioned(rows: Dataset, views: tuple[View, ...], stage: _Stage, counts_actor: Any) -> Dataset:
    """One hash pass: rows and views by their keys, each bucket joined by itself."""
    import ray.data

    sides = []
    for side, view in enumerate(views):
        slices = [vars(one) | {"groups": list(one.groups)} for one in view.source.slices(BLOCK_ROWS)]
        sides.append(
            ray.data.from_items(slices, override_num_blocks=len(slices)).map_batches(
                _ViewPieces(view, side, stage.buckets), batch_format="pyarrow", batch_size=None
            )
        )
    cut = rows.map_batches(_EntityPieces(views[0], stage.buckets), batch_format="pyarrow", batch_size=None)
    return (
        cut.union(*sides)
        .groupby(BUCKET, num_partitions=stage.buckets)
        .map_groups(_Bucket(views, stage, counts_actor).joined, batch_format="pyarrow")
    )


@dataclass(frozen=True)
class _EntityPieces:
    """Blocks of entity rows in, one piece for each bucket out."""

    view: View
    buckets: int

    def __call__(self, rows: pa.Table) -> pa.Table:
        kinds = [self.view.source.kind(column) for column in self.view.source_keys]
        bucket = buckets(keys(rows, self.view.entity_keys, self.view.key_names, kinds), self.buckets)
        return _pieces(rows, bucket, ENTITY_SIDE, rows[ROW][0].as_py() if len(rows) else 0)


@dataclass(frozen=True)
class _ViewPieces:
    """Slices of a view's source in, one piece for each bucket out."""

    view: View
    side: int
    buckets: int

    def __call__(self, slices: pa.Table) -> Iterator[pa.Table]:
        kinds = [self.view.source.kind(column) for column in self.view.source_keys]
        for one in slices.to_pylist():
            chosen = Slice(one["file"], tuple(one["groups"]), one["first"], one["rows"])
            table = self.view.source.read(chosen, self.view.read)
            bucket = buckets(keys(table, self.view.source_keys, self.view.key_names, kinds), self.buckets)
            yield _pieces(table, bucket, self.side, chosen.first)


@dataclass(frozen=True)
class _Bucket:
    """All pieces of one bucket in, its joined rows out, a piece at a time: a key with a million rows is no trouble."""

    views: tuple[View, ...]
    stage: _Stage
    counts_actor: Any

    def joined(self, pieces: pa.Table) -> Iterator[pa.Table]:
        """The rows of the bucket."""
        # A shuffle delivers pieces in any order; in a tie the later place in the source decides.
        pieces = pieces.sort_by([(SIDE, "ascending"), (ORDER, "ascending")])
        side = pieces[SIDE].to_numpy()
        timelines = []
        for number, view in enumerate(self.views):
            stored = [_unpacked(pieces[PIECE][at]) for at in (side == number).nonzero()[0].tolist()]
            empty = pa.schema([pa.field(c, view.source.kind(c)) for c in view.read]).empty_table()
            timelines.append(Timeline.build(view, self.stage.unit, pa.concat_tables([empty, *stored])))
        entity_pieces = (side == ENTITY_SIDE).nonzero()[0].tolist()
        if not entity_pieces:
            yield _answer(self.stage.nothing(), timelines, self.stage, Counts().add)
        for at in entity_pieces:
            yield _answer(_unpacked(pieces[PIECE][at]), timelines, self.stage, noting(self.counts_actor))


def _pieces(table: pa.Table, bucket: pl.Series, side: int, order: int) -> pa.Table:
    """One row per bucket that occurs: which, whose, where it stood, and its rows as an Arrow stream."""
    frame = pl.DataFrame({BUCKET: bucket.cast(pl.Int32)}).with_row_index("at")
    groups = frame.group_by(BUCKET, maintain_order=True).agg("at")
    packed = [_packed(table.take(at.to_arrow())) for at in groups["at"]]
    n = len(groups)
    return pa.table(
        {
            BUCKET: pa.array(groups[BUCKET].to_numpy(), pa.int32()),
            SIDE: pa.array([side] * n, pa.int32()),
            ORDER: pa.array([order] * n, pa.int64()),
            PIECE: pa.array(packed, pa.large_binary()),
        }
    )


def _packed(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="lz4")) as stream:
        stream.write_table(table.combine_chunks())
    return sink.getvalue()


def _unpacked(piece: pa.Scalar) -> pa.Table:
    return pa.ipc.open_stream(piece.as_buffer()).read_all()
