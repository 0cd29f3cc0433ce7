"""The offline store that a Feast repository names in its feature_store.yaml."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
from feast import FeatureView
from feast.data_source import DataSource
from feast.feature_logging import LoggingConfig, LoggingSource
from feast.infra.offline_stores.file_source import FileLoggingDestination
from feast.infra.offline_stores.offline_store import OfflineStore, RetrievalJob
from feast.infra.registry.base_registry import BaseRegistry
from feast.repo_config import FeastConfigBaseModel, RepoConfig
from feast.utils import _get_requested_on_demand_feature_views
from pydantic import Field

from remora.core.errors import BadRequest, DataError, Refused
from remora.features.point_in_time import atomic_parquet
from remora.features.point_in_time.entity_rows import Entities, EntityRows
from remora.features.point_in_time.job import PointInTimeJob, PullJob
from remora.features.point_in_time.join import Join
from remora.features.point_in_time.places import opened
from remora.features.point_in_time.pull import Pull
from remora.features.point_in_time.source import ParquetTable
from remora.features.point_in_time.views import source_table, view_of

TYPE: Literal["remora.features.point_in_time.store.PointInTimeOfflineStore"] = (
    "remora.features.point_in_time.store.PointInTimeOfflineStore"
)


class PointInTimeOfflineStoreConfig(FeastConfigBaseModel):
    """What may follow ``type`` under ``offline_store`` in feature_store.yaml."""

    type: Literal["remora.features.point_in_time.store.PointInTimeOfflineStore"] = TYPE
    broadcast_mb: int = Field(256, ge=0, description="views up to this size are held whole by each worker")
    partitions: int | None = Field(None, gt=0, description="hash partitions for larger views; default: by size")
    preserve_order: bool = Field(True, description="Ray Datasets come in the order that was asked in")
    home: str = Field("", repr=False, description="URL with which tables of a home are opened: sources name none")
    known_time: bool = Field(True, description="a value learned after the instant is not used, where a view says when")


class PointInTimeOfflineStore(OfflineStore):
    """Exact point-in-time joins on Ray Data over Parquet sources; see docs/explanation/point_in_time.md."""

    supports_filter_by_created_timestamp = True

    @staticmethod
    def get_historical_features(
        config: RepoConfig,
        feature_views: list[FeatureView],
        feature_refs: list[str],
        entity_df: Entities,
        registry: BaseRegistry,
        project: str,
        full_feature_names: bool = False,
        filter_by_created_timestamp: bool = False,
        **span: Any,
    ) -> PointInTimeJob:
        """The features of the entity rows, each as of the row's instant.

        ``entity_df``: a pandas DataFrame, an Arrow table, a Ray Dataset, or the path of Parquet files. BadRequest
        without it: a span of time does not say for whom.
        """
        if entity_df is None:
            raise BadRequest(
                f"Features of a span of time ({span}) are not joined to anything. Give the rows to be answered as "
                f"entity_df, or read the source itself."
            )
        chosen = _options(config)
        cut = "created" if filter_by_created_timestamp else "known" if chosen.known_time else "never"
        views = tuple(view_of(config, v, feature_refs, full_names=full_feature_names, cut=cut) for v in feature_views)
        entity_rows = EntityRows.of(entity_df, naive_is_utc=bool(config.coerce_tz_aware))
        join = Join(
            entity_rows=entity_rows,
            views=views,
            now=datetime.now(UTC),
            broadcast_mb=chosen.broadcast_mb,
            partitions=chosen.partitions,
        )
        return PointInTimeJob(
            join=join,
            feature_refs=feature_refs,
            # Feast asks its cache by default, which stays as it was where a refresh failed; Feast does not say so, and
            # the columns of a view that the cache lacks would be left out.
            odfvs=_get_requested_on_demand_feature_views(feature_refs, project, registry, allow_cache=False),
            full_names=full_feature_names,
            known_time=cut,
            in_order=chosen.preserve_order,
            repo_path=config.repo_path,
        )

    @staticmethod
    def pull_latest_from_table_or_query(
        config: RepoConfig,
        data_source: DataSource,
        join_key_columns: list[str],
        feature_name_columns: list[str],
        timestamp_field: str,
        created_timestamp_column: str | None,
        start_date: datetime,
        end_date: datetime,
    ) -> RetrievalJob:
        """The last row of each key in [start, end], ties as in the join: what materialization writes."""
        columns = (tuple(join_key_columns), tuple(feature_name_columns))
        times = (timestamp_field, created_timestamp_column)
        return _pull(config, data_source, columns, times, (start_date, end_date), latest=True)

    @staticmethod
    def pull_all_from_table_or_query(
        config: RepoConfig,
        data_source: DataSource,
        join_key_columns: list[str],
        feature_name_columns: list[str],
        timestamp_field: str,
        created_timestamp_column: str | None = None,
        start_date: datetime | None = None,
        end_date: datetime | None = None,
    ) -> RetrievalJob:
        """Every row in [start, end]; a missing end is open."""
        columns = (tuple(join_key_columns), tuple(feature_name_columns))
        times = (timestamp_field, created_timestamp_column)
        return _pull(config, data_source, columns, times, (start_date, end_date), latest=False)

    @staticmethod
    def offline_write_batch(
        config: RepoConfig, feature_view: FeatureView, table: pa.Table, progress: Callable[[int], Any] | None
    ) -> None:
        """Add rows to a view's source, which must have exactly these columns: a new file in its folder.

        Refused for a source that is a single file: rewriting it would tear it under whoever reads. DataError when the
        view has no batch source, or ``table`` other columns.
        """
        if feature_view.batch_source is None:
            raise DataError(f"Feature view '{feature_view.name}' has no batch source to write to.")
        source = source_table(config, feature_view.batch_source)
        if set(source.schema.names) != set(table.column_names):
            raise DataError(
                f"The rows to write have the columns {', '.join(table.column_names)}; the source of "
                f"'{feature_view.name}' has {', '.join(source.schema.names)}."
            )
        if {file.path for file in source.files} == {source.where}:
            raise Refused(
                f"The source of '{feature_view.name}' is the single file {source.where}. Make it a folder of files: "
                f"then rows are added without rewriting what others read."
            )
        _add(table.select(source.schema.names).cast(source.schema), source)
        if progress:
            progress(len(table))

    @staticmethod
    def write_logged_features(
        config: RepoConfig,
        data: pa.Table | Path,
        source: LoggingSource,
        logging_config: LoggingConfig,
        registry: BaseRegistry,
    ) -> None:
        """Add rows of logged features to the destination's folder, in files that appear whole.

        DataError for another destination than Feast's files, Refused for one that partitions by columns.
        """
        destination = logging_config.destination
        if not isinstance(destination, FileLoggingDestination):
            raise DataError(f"Features are logged to a FileLoggingDestination, not {type(destination).__name__}.")
        if destination.partition_by:
            raise Refused(f"The logs in {destination.path} are not partitioned by columns here; drop partition_by.")
        filesystem, path = opened(
            destination.path, repo_path=config.repo_path, endpoint=destination.s3_endpoint_override
        )
        if isinstance(data, Path):
            stored = ParquetTable.open(str(data))
            tables = [stored.read(one) for one in stored.slices(1_000_000)]
        else:
            tables = [data]
        for table in tables:
            atomic_parquet.add_file(table, f"{path.rstrip('/')}/{_name()}", filesystem)


def _pull(
    config: RepoConfig,
    data_source: DataSource,
    columns: tuple[tuple[str, ...], tuple[str, ...]],
    times: tuple[str, str | None],
    span: tuple[datetime | None, datetime | None],
    *,
    latest: bool,
) -> PullJob:
    """A pull of ``columns`` (keys, features), by ``times`` (event, creation), within ``span`` (start, end)."""
    pull = Pull(
        source=source_table(config, data_source),
        keys=columns[0],
        features=columns[1],
        timestamp=times[0],
        created=times[1],
        start=span[0],
        end=span[1],
        latest=latest,
        inline_mb=_options(config).broadcast_mb,
    )
    return PullJob(pull, config.repo_path)


def _options(config: RepoConfig) -> PointInTimeOfflineStoreConfig:
    chosen = config.offline_store
    assert isinstance(chosen, PointInTimeOfflineStoreConfig)
    return chosen


def _add(table: pa.Table, source: ParquetTable) -> None:
    atomic_parquet.add_file(table, f"{source.where.rstrip('/')}/{_name()}", source.filesystem)


def _name() -> str:
    """Sorts after what is there: in a tie the row that came later holds."""
    return f"z{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{uuid.uuid4().hex[:8]}.parquet"
