"""The jobs that Feast is given: a join that runs when its rows are asked for and then gives a report, and a pull."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.fs as pafs
from feast.infra.offline_stores.file_source import SavedDatasetFileStorage
from feast.infra.offline_stores.offline_store import RetrievalJob, RetrievalMetadata
from feast.on_demand_feature_view import OnDemandFeatureView
from feast.saved_dataset import SavedDatasetStorage

from remora.core.errors import Refused
from remora.features.point_in_time import atomic_parquet
from remora.features.point_in_time.join import ROW, Join, shaped
from remora.features.point_in_time.join_report import Counts, JoinReport, counts_actor, view_report
from remora.features.point_in_time.places import opened
from remora.features.point_in_time.pull import PLACE, Pull

if TYPE_CHECKING:
    from ray.data import Dataset

log = logging.getLogger(__name__)


@dataclass(eq=False, kw_only=True)
class PointInTimeJob(RetrievalJob):
    """Runs once: what it found is kept, in this process when it was small, else in Ray's object store.

    Its rows are the entity rows, its columns theirs and the features. ``known_time`` says which cut by known time
    applies; ``in_order`` that the Ray Dataset keeps the order asked.
    """

    join: Join
    feature_refs: list[str]
    odfvs: list[OnDemandFeatureView]
    full_names: bool
    known_time: str
    in_order: bool = True
    repo_path: Path | None = None
    _found: pa.Table | Dataset | None = field(default=None, init=False)
    _report: JoinReport | None = field(default=None, init=False)

    @property
    def full_feature_names(self) -> bool:
        """Are features named ``<view>__<feature>``?"""
        return self.full_names

    @property
    def on_demand_feature_views(self) -> list[OnDemandFeatureView]:
        """Views that are computed from what the join found."""
        return self.odfvs

    @property
    def metadata(self) -> RetrievalMetadata:
        """Features, keys and the span of instants."""
        earliest, latest = self.join.entity_rows.bounds
        names = [name for name in self.join.entity_rows.schema.names if name != self.join.entity_rows.timestamp]
        return RetrievalMetadata(self.feature_refs, names, earliest, latest)

    @property
    def report(self) -> JoinReport:
        """What the join did; runs it if need be."""
        if self._report is None:
            self._run()
        assert self._report is not None
        return self._report

    def to_ray_dataset(self) -> Dataset:
        """The rows of the answer with the columns of on-demand features, in the object store; every row was counted."""
        import ray.data

        found = self._run()
        return self._finished(ray.data.from_arrow(found) if isinstance(found, pa.Table) else found)

    def stream(self) -> Dataset:
        """The same rows and columns as a lazy Ray Dataset, joined at each reading in bounded memory, uncounted."""
        return self._finished(self._joined(None))

    def persist(self, storage: SavedDatasetStorage, allow_overwrite: bool = False, timeout: int | None = None) -> None:
        """Stream the answer into a folder of Parquet files that appears whole, with ``_join_report.json`` beside them.

        Refused where there is something already, unless ``allow_overwrite``. Feast's ``timeout`` is not read.
        """
        import ray

        begun, notes = time.monotonic(), counts_actor()
        filesystem, path = _place(storage, self.repo_path)
        with atomic_parquet.folder(path, filesystem, overwrite=allow_overwrite) as staging:
            rows = staging.write(self._finished(self._joined(notes), keep=(ROW,)), ROW)
            # Before the folder appears, so that no reader meets an answer that lacks rows.
            counts = ray.get(notes.counts.remote())
            self.join.check(rows, counts)
            self._report = self._count(rows, counts, time.monotonic() - begun)
            staging.note(atomic_parquet.REPORT, self._report.model_dump_json(indent=1))

    def _to_arrow_internal(self, timeout: int | None = None) -> pa.Table:
        found = self._run()
        table = found if isinstance(found, pa.Table) else _collected(found).sort_by(ROW)
        return table.select(self.join.columns)

    def _run(self) -> pa.Table | Dataset:
        if self._found is None:
            begun, counts = time.monotonic(), Counts()
            table = self.join.table(counts)
            if table is not None:
                rows, self._found = len(table), table
            else:
                import ray

                notes = counts_actor()
                found = self._joined(notes).materialize()
                rows, counts, self._found = found.count(), ray.get(notes.counts.remote()), found
            self.join.check(rows, counts)
            self._report = self._count(rows, counts, time.monotonic() - begun)
        return self._found

    def _joined(self, counts_actor: Any | None) -> Dataset:
        """The join, in order where that was asked for."""
        found = self.join.dataset(counts_actor)
        if not self.in_order:
            return found
        return _in_order(found.sort(ROW) if self.join.is_shuffled else found)

    def _finished(self, found: Dataset, keep: tuple[str, ...] = ()) -> Dataset:
        """The columns of the answer, and what is computed of them."""
        shape = partial(shaped, columns=[*self.join.columns, *keep], compute=self._computed())
        found = found.map_batches(shape, batch_format="pyarrow", batch_size=None)
        return _in_order(found) if self.in_order else found

    def _computed(self) -> Callable[[pa.Table], pa.Table] | None:
        if not self.odfvs:
            return None
        return partial(_computed, odfvs=self.odfvs, full_names=self.full_names, refs=self.feature_refs)

    def _count(self, rows: int, counts: Counts, seconds: float) -> JoinReport:
        entity_rows = self.join.entity_rows
        earliest, latest = (None if at is None else at.isoformat() for at in entity_rows.bounds)
        totals = {view.name: counts.of(view.name) for view in self.join.views}
        report = JoinReport(
            created_at=datetime.now(UTC).isoformat(),
            seconds=round(seconds, 3),
            rows_in=entity_rows.rows,
            rows_out=rows,
            earliest=earliest,
            latest=latest,
            future=int(next((total["future"] for total in totals.values()), 0)),
            fingerprint=entity_rows.digest,
            known_time=self.known_time,
            views={
                view.name: view_report(
                    totals[view.name],
                    {
                        "strategy": self.join.strategy(view),
                        "fingerprint": view.source.digest,
                        "source_rows": view.source.rows,
                    },
                )
                for view in self.join.views
            },
        )
        if report.future:
            log.warning(
                "%s of the entity rows ask for an instant after now (the last is %s): they got what is known today.",
                f"{report.future:,}",
                latest,
            )
        return report


class PullJob(RetrievalJob):
    """A pull as Feast's materialization and saved datasets read it."""

    def __init__(self, pull: Pull, repo_path: Path | None) -> None:
        super().__init__()
        self.pull, self.repo_path = pull, repo_path

    @property
    def full_feature_names(self) -> bool:
        """Columns are named as in the source."""
        return False

    @property
    def on_demand_feature_views(self) -> list[OnDemandFeatureView]:
        """None."""
        return []

    @property
    def metadata(self) -> RetrievalMetadata | None:
        """None: a pull answers no entity rows."""
        return None

    def to_ray_dataset(self) -> Dataset:
        """The rows, never whole in one process."""
        return self.pull.dataset().drop_columns([PLACE])

    def persist(self, storage: SavedDatasetStorage, allow_overwrite: bool = False, timeout: int | None = None) -> None:
        """Stream the rows into a folder of Parquet files that appears whole; Feast's ``timeout`` is not read."""
        filesystem, path = _place(storage, self.repo_path)
        with atomic_parquet.folder(path, filesystem, overwrite=allow_overwrite) as staging:
            staging.write(self.pull.dataset(), PLACE)

    def _to_arrow_internal(self, timeout: int | None = None) -> pa.Table:
        return self.pull.table()


def _place(storage: SavedDatasetStorage, repo_path: Path | None) -> tuple[pafs.FileSystem | None, str]:
    """Where a saved dataset goes; Refused for another kind of storage than files."""
    if not isinstance(storage, SavedDatasetFileStorage):
        raise Refused(f"This offline store persists to SavedDatasetFileStorage, not {type(storage).__name__}.")
    options = storage.file_options
    return opened(options.uri, repo_path=repo_path, endpoint=options.s3_endpoint_override)


def _in_order(found: Dataset) -> Dataset:
    """Blocks come out in the order in which they went in, not as they are finished."""
    found.context.execution_options.preserve_order = True
    return found


def _collected(found: Dataset) -> pa.Table:
    import ray

    tables = [table for table in ray.get(found.to_arrow_refs()) if table is not None and table.num_columns]
    filled = [table for table in tables if len(table)] or tables[:1]
    return pa.concat_tables(filled, promote_options="permissive")


def _computed(table: pa.Table, odfvs: list[OnDemandFeatureView], full_names: bool, refs: list[str]) -> pa.Table:
    """``table`` with the requested columns of on-demand views, as Feast itself appends them."""
    for view in odfvs:
        name = view.projection.name_to_use()
        requested = [ref.split(":", 1)[1] for ref in refs if ref.split(":", 1)[0] in (view.name, name)]
        made = view.transform_arrow(table, full_names)
        for column in made.column_names:
            if column.removeprefix(f"{name}__") in requested:
                table = table.append_column(column, made[column])
    return table
