"""Do Feast's registry and its online store describe the feature tables of now? Either stays as it was until told."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from remora.core.errors import NotReady, UnreadableInput
from remora.core.home import Home
from remora.core.json_document import read_document
from remora.core.redaction import redacted_connection
from remora.features.tables import FeatureTables
from remora.ingest.lake import Lake
from remora.settings import Settings
from remora.steps import path

if TYPE_CHECKING:  # importing Feast takes seconds, and a plan of a run asks here
    from feast import FeatureStore

APPLY, BUILD, MATERIALIZE = path.APPLY.command, path.FEATURES.command, path.MATERIALIZE.command

APPLIED = "feast/applied.json"
"""What was applied last; see :func:`remora.features.feature_repo.applied_as`."""

OF_TABLES = re.compile(r"/features/versions/([^/]+)/")
"""In the path of a view that reads feature tables: their version."""

RECORD = "feast/materialized.json"
"""View -> the tables that its rows online come from, as of when, and in which store."""


def check_built(settings: Settings) -> FeatureTables:
    """The current tables; NotReady when they are of another lake, of other settings or of another Remora."""
    home = Home(settings.home)
    tables, lake = FeatureTables.open(home), Lake.open(home)
    if tables.artifact.version != path.FEATURES.current(settings).version:
        built = tables.artifact.metadata["lake"]
        how = "with other settings" if built == lake.version else f"from lake {built}; the lake is {lake.version} now"
        raise NotReady(
            f"The feature tables {tables.artifact.version} under {home.url} were built {how}. Run `{BUILD}`, then "
            f"`{APPLY}` and `{MATERIALIZE}`."
        )
    return tables


def check_applied(store: FeatureStore, tables: FeatureTables) -> None:
    """Raises NotReady unless every view of the registry reads these tables: this version of them, in this home."""
    registered = {view.name: view for view in store.list_feature_views()}
    if missing := sorted(set(tables.views) - registered.keys()):
        raise _stale(tables, f"has no view {missing[0]}")
    paths = {name: str(getattr(view.batch_source, "path", "")) for name, view in registered.items()}
    for name in sorted(registered.keys() - set(tables.views)):
        if OF_TABLES.search(paths[name]):  # a view of other data is its owner's business
            raise _stale(tables, f"has a view {name}, of which there is no table")
    for name in tables.views:
        view, path, url = registered[name], paths[name], tables.url(name)
        if not _same(path, url):
            raise _stale(tables, f"reads {name} from {path or 'nowhere'} where {url} is meant")
        columns, fields = set(tables.schema(name).names), {field.name for field in view.features}
        if columns != fields:
            raise _stale(tables, f"differs in {name} by {', '.join(sorted(columns ^ fields))}")


def check_materialized(settings: Settings) -> None:
    """NotReady unless the online store was filled from the current tables."""
    home = Home(settings.home)
    tables = FeatureTables.open(home)
    for view in _to_write(settings, tables, record := read_record(home)):
        raise NotReady(
            f"The online store holds {view} of {record.get(view, {}).get('tables') or 'no'} feature tables; those of "
            f"now are {tables.artifact.version}. Run `{MATERIALIZE}`."
        )


def views_to_write(settings: Settings, tables: FeatureTables) -> list[str]:
    """The views whose rows in the online store are not known to be those of these tables."""
    try:
        return _to_write(settings, tables, read_record(tables.artifact.home))
    except UnreadableInput:
        return list(tables.views)


def _to_write(settings: Settings, tables: FeatureTables, record: dict[str, dict[str, str]]) -> list[str]:
    now = (tables.artifact.version, redacted_connection(settings.features.redis))
    return [view for view in tables.views if _written(record.get(view, {})) != now]


def _written(one: dict[str, str]) -> tuple[str | None, str | None]:
    return one.get("tables"), one.get("store")


def read_applied(home: Home) -> dict[str, str]:
    """What the last apply depended on; empty where none is known."""
    try:
        return read_document(home, APPLIED, dict[str, str], "")
    except (FileNotFoundError, UnreadableInput):
        return {}


def read_record(home: Home) -> dict[str, dict[str, str]]:
    """By view, what its rows online were written from; empty before the first time. UnreadableInput where the record is
    damaged."""
    try:
        return read_document(home, RECORD, dict[str, dict[str, str]], f"Run `{MATERIALIZE}`, which writes it again.")
    except FileNotFoundError:
        return {}


def _stale(tables: FeatureTables, how: str) -> NotReady:
    return NotReady(
        f"Feast's registry {how}: it does not describe the feature tables {tables.artifact.version} of "
        f"{tables.artifact.home.url}. Run `{APPLY}`, then `{MATERIALIZE}`."
    )


def _same(one: str, other: str) -> bool:
    """Is it one place, through whatever links?"""
    return one == other or ("://" not in one + other and Path(one).resolve() == Path(other).resolve())
