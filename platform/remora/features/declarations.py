"""What the files of ``feature_repo/`` declare their views from: the tables of one home."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

os.environ.setdefault("FEAST_USAGE", "False")

from feast import Field, FileSource
from feast.data_format import ParquetFormat
from feast.types import Array, Bool, FeastType, Float32, Float64, Int32, Int64, String, UnixTimestamp

from remora.core.errors import SettingsError, WrongType
from remora.core.home import Home
from remora.features.tables import FeatureTables
from remora.settings import ACTIVE, Settings, load

_DECLARING: ContextVar[Settings | None] = ContextVar("declaring", default=None)

FEAST_TYPES: dict[pa.DataType, FeastType] = {
    pa.string(): String,
    pa.bool_(): Bool,
    pa.int32(): Int32,
    pa.int64(): Int64,
    pa.float32(): Float32,
    pa.float64(): Float64,
}


@dataclass(frozen=True)
class FeatureDeclarations:
    """The settings and the feature tables that are being declared."""

    settings: Settings
    tables: FeatureTables

    def views_of(self, entity: str) -> tuple[str, ...]:
        """Names of the views that are about a ``user`` or an ``item``."""
        return self.tables.views_of(entity)

    def description(self, view: str) -> str:
        """What the view has, in a sentence."""
        return self.tables.description(view)

    @property
    def columns(self) -> set[str]:
        """Features of all views, as ``view__feature``."""
        return {f"{view}__{name}" for view in self.tables.views for name in self.tables.schema(view).names}

    def schema(self, view: str) -> list[Field]:
        """A Feast field per column of the view's table."""
        return [Field(name=c.name, dtype=_feast_type(c.type, c.name, view)) for c in self.tables.schema(view)]

    def source(self, view: str) -> FileSource:
        """The view's Parquet files, of the current version."""
        return FileSource(
            name=f"{view}_table",
            path=self.tables.url(view),
            timestamp_field="event_timestamp",
            file_format=ParquetFormat(),
        )


def declared(repo: Path) -> FeatureDeclarations:
    """The home that is being declared: that of :func:`declaring`, else the active home of the folder above ``repo``.

    Raises SettingsError when no home is active, or when $REMORA_CONFIG or $REMORA_HOME mean another one than
    ``feature_store.yaml`` does; NotBuilt when the features have not been built.
    """
    settings = _DECLARING.get() or _active(repo)
    return FeatureDeclarations(settings, FeatureTables.open(Home(settings.home)))


@contextmanager
def declaring(settings: Settings) -> Iterator[None]:
    """Within, :func:`declared` means the home of these settings."""
    token = _DECLARING.set(settings)
    try:
        yield
    finally:
        _DECLARING.reset(token)


def _active(repo: Path) -> Settings:
    link = repo.parent / ACTIVE
    named = os.environ.get("REMORA_CONFIG")
    if not named and not link.exists():
        raise SettingsError(
            f"No home is active: there is no {link}. Run `remora features build --config FILE` in {repo.parent} first."
        )
    settings = load(named or link / "settings.yaml")
    if Path(settings.home) != link.resolve():
        raise SettingsError(
            f"The settings mean the home {settings.home}, feature_store.yaml means {link}, which is "
            f"{link.resolve() if link.exists() else 'not there'}. Run `remora features apply` with these settings, "
            f"which makes their home the active one; plain `feast` commands follow."
        )
    return settings


def _feast_type(kind: pa.DataType, column: str, view: str) -> FeastType:
    if kind in FEAST_TYPES:
        return FEAST_TYPES[kind]
    if pa.types.is_list(kind) and kind.value_type in FEAST_TYPES:
        return Array(FEAST_TYPES[kind.value_type])
    if pa.types.is_timestamp(kind):
        return UnixTimestamp
    raise WrongType(column, str(kind), "text, a number, true/false, a time or a list of those", f"the table of {view}")
