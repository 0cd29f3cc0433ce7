"""What Feast declares of a view, in plain terms that travel to any worker without Feast."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from remora.core.errors import DataError
from remora.features.point_in_time.places import opened
from remora.features.point_in_time.source import ParquetTable
from remora.features.point_in_time.times import check_instant

if TYPE_CHECKING:
    from feast import FeatureView
    from feast.data_source import DataSource
    from feast.repo_config import RepoConfig

KNOWN_TAG = "known_timestamp"
"""Tag of a view, or of its source, that names the column with the time at which a value was learned."""


@dataclass(frozen=True, kw_only=True)
class View:
    """One view of a join. ``join_keys`` pairs columns of the entity rows with columns of the source; ``features``
    columns of the source with names of the output."""

    name: str
    source: ParquetTable
    join_keys: tuple[tuple[str, str], ...]
    features: tuple[tuple[str, str], ...]
    timestamp: str
    created: str | None = None
    known: str | None = None
    ttl: timedelta | None = None

    @property
    def entity_keys(self) -> list[str]:
        """Key columns of the entity rows."""
        return [name for name, _ in self.join_keys]

    @property
    def source_keys(self) -> list[str]:
        """Key columns of the source."""
        return [stored for _, stored in self.join_keys]

    @property
    def key_names(self) -> list[str]:
        """Neutral names for the keys, the same on both sides."""
        return [f"key {n}" for n in range(len(self.join_keys))]

    @cached_property
    def read(self) -> list[str]:
        """Columns of the source that the join needs."""
        features = [column for column, _ in self.features]
        times = [c for c in (self.timestamp, self.created, self.known) if c]
        return list(dict.fromkeys([*self.source_keys, *times, *features]))

    @cached_property
    def bytes(self) -> int:
        """Bytes of those columns."""
        return self.source.bytes(self.read)


def source_table(config: RepoConfig, source: DataSource) -> ParquetTable:
    """The Parquet files of a Feast source; DataError for a source of another kind."""
    from feast import FileSource
    from feast.data_format import ParquetFormat

    if not isinstance(source, FileSource) or not isinstance(source.file_format, ParquetFormat | None):
        kind = type(source).__name__ if not isinstance(source, FileSource) else type(source.file_format).__name__
        raise DataError(f"Source '{source.name}' is a {kind}; this offline store reads FileSource with ParquetFormat.")
    filesystem, path = opened(
        source.path,
        repo_path=config.repo_path,
        endpoint=source.s3_endpoint_override or "",
        home=getattr(config.offline_store, "home", ""),
    )
    return ParquetTable.open(path, filesystem)


def view_of(config: RepoConfig, declared: FeatureView, refs: list[str], *, full_names: bool, cut: str) -> View:
    """What a join needs of a Feast view. ``cut``: `known` (the tag), `created` (the tag, else creation), or `never`.

    DataError for a view without a batch source.
    """
    source, projection = declared.batch_source, declared.projection
    if source is None:
        raise DataError(f"Feature view '{declared.name}' has no batch source to be read from.")
    stored = {new: old for old, new in source.field_mapping.items()}
    wanted = [ref.split(":", 1)[1] for ref in refs if ref.split(":", 1)[0] == projection.name_to_use()]
    prefix = f"{projection.name_alias or declared.name}__" if full_names else ""
    known = declared.tags.get(KNOWN_TAG) or source.tags.get(KNOWN_TAG)
    created = source.created_timestamp_column or None
    if cut == "created":
        known = known or created
    view = View(
        name=projection.name_to_use(),
        source=source_table(config, source),
        join_keys=tuple(
            (projection.join_key_map.get(key.name, key.name), stored.get(key.name, key.name))
            for key in declared.entity_columns
            if key.name != "__dummy_id"
        ),
        features=tuple((stored.get(name, name), f"{prefix}{name}") for name in dict.fromkeys(wanted)),
        timestamp=stored.get(source.timestamp_field, source.timestamp_field),
        created=stored.get(created, created) if created else None,
        known=stored.get(known, known) if known and cut != "never" else None,
        ttl=declared.ttl or None,
    )
    for column in view.read:
        view.source.kind(column)
    for column in filter(None, (view.timestamp, view.created, view.known)):
        check_instant(view.source.kind(column), column, f"the source of '{view.name}', {view.source.where},")
    return view
