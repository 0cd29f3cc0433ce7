"""Feast's store of one home: opening it, and applying ``feature_repo/`` to it.

The registry is a SQL database (SQLite in the home by default), for Feast's file registry is written without a lock. It
holds the on-demand view's code and Feast runs what it reads there: treat write access to the registry as code
execution.
"""

from __future__ import annotations

import importlib
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

# Feast reports its use to a server of its makers, unless this is set before it is imported.
os.environ.setdefault("FEAST_USAGE", "False")

from feast import Entity, FeatureService, FeatureStore, FeatureView, OnDemandFeatureView, RepoConfig
from feast.data_source import DataSource
from sqlalchemy.exc import SQLAlchemyError

from remora.core.errors import NotBuilt, NotReady, SettingsError
from remora.core.home import Home
from remora.core.printable import one_line
from remora.core.redaction import redacted, redacted_connection
from remora.core.sqlite import sqlite_url
from remora.features.applied import APPLIED, OF_TABLES, check_applied, check_built
from remora.features.declarations import declaring
from remora.features.feature_repo import applied_as, feature_repo
from remora.features.point_in_time.store import TYPE
from remora.settings import Settings
from remora.settings.one_writer import writes
from remora.steps.path import APPLY

PROJECT = "remora"
"""One home has one registry, so one project name serves them all; feature_store.yaml says the same."""

REGISTRY, ONLINE = "feast/registry.db", "feast/online.db"

Declaration = Entity | DataSource | FeatureView | OnDemandFeatureView | FeatureService


def open_store(settings: Settings, *, patience_seconds: float | None = None) -> FeatureStore:
    """Feast's store of this home; the registry is read once and never again on the request path.

    ``patience_seconds`` is for serving, which reads the online store alone: how long a server of it may take to connect
    or to answer, once. Without it, as long as it takes, redis-py tries four times with seconds between, and the
    registry must describe the feature tables of now.
    NotBuilt when the features were never applied, NotReady when other tables were, or while the registry's server is
    out; SettingsError when the home is remote and no servers are named.
    """
    home = Home(settings.home)
    if not settings.features.registry and not home.exists(REGISTRY):
        raise NotBuilt("feature store", home.url, "remora features apply")
    with _registry_errors(settings):
        store = FeatureStore(config=store_config(settings, patience_seconds))
        if patience_seconds is None:
            check_applied(store, check_built(settings))
    return store


@writes(APPLY.command)
def apply(settings: Settings) -> dict[str, list[str]]:
    """Register what ``feature_repo/`` declares of this home's tables; what it no longer declares is removed.

    Returns the names registered, by kind. The folder is $REMORA_FEATURE_REPO, else ``feature_repo`` of the working
    directory, else Remora's own.
    """
    home = Home(settings.home)
    tables = check_built(settings)
    config = store_config(settings)
    if home.is_local:
        home.make_folder("feast")
    with declaring(settings), _modules_of(feature_repo()) as modules:
        named = [
            value
            for module in modules
            for value in vars(importlib.import_module(module)).values()
            if isinstance(value, Declaration)
        ]
    # Modules import each other's declarations, so one object is found in several.
    objects: list[Any] = list({id(one): one for one in named}.values())
    kept = {(_kind(one), one.name) for one in objects}
    if missing := sorted(view for view in tables.views if ("views", view) not in kept):
        raise SettingsError(
            f"{feature_repo()} declares no view {missing[0]}, of which there is a table. Declare every view of the "
            f"tables, as the files do that `remora init` writes."
        )
    with _registry_errors(settings), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "On demand feature view is an experimental", RuntimeWarning)
        store = FeatureStore(config=config)
        stale = [one for one in _registered(store) if (_kind(one), one.name) not in kept]
        # Feast leaves what is no longer declared in the registry, unless it is named for deletion and `partial` is off.
        store.apply(objects, objects_to_delete=stale, partial=False)
    home.write_json(APPLIED, applied_as(settings, tables.artifact.version))
    kinds = sorted({kind for kind, _ in kept})
    return {kind: sorted(name for k, name in kept if k == kind) for kind in kinds}


@contextmanager
def _registry_errors(settings: Settings) -> Iterator[None]:
    """NotReady for what the database of the registry reports."""
    try:
        yield
    except SQLAlchemyError as error:
        where = redacted_connection(settings.features.registry) or Home(settings.home).at(REGISTRY)
        reason = redacted(one_line(str(getattr(error, "orig", None) or error)))
        raise NotReady(
            f"Feast's registry {where} cannot be used: {reason}. See that its server runs and lets this user in, or "
            f"correct features.registry."
        ) from error


def store_config(settings: Settings, patience_seconds: float | None = None, *, online: str = ONLINE) -> RepoConfig:
    """Feast's configuration of a home; ``online`` is the file of the online store where that is no server.

    SettingsError when the home is remote and no servers are named.
    """
    home, chosen = Home(settings.home), settings.features
    if not home.is_local and not (chosen.registry and chosen.redis):
        raise SettingsError(
            f"The home {home.url} is remote, and Feast's registry and online store cannot be files there. Name servers "
            f"in features.registry and features.redis."
        )
    store = {"type": "sqlite", "path": home.at(online)}
    if chosen.redis:
        store = {"type": "redis", "connection_string": chosen.redis + _patient(chosen.redis, patience_seconds)}
    return RepoConfig(
        project=PROJECT,
        provider="local",
        # The SQL registry, also in a file: Feast's file registry truncates before it writes, and reads an empty one as
        # new.
        registry={
            "registry_type": "sql",
            "path": chosen.registry or sqlite_url(home.at(REGISTRY)),
            # Zero is never: Feast refreshes an expired registry in the call that meets it, which would be a request.
            "cache_ttl_seconds": 0,
        },
        offline_store={"type": TYPE, "home": "" if home.is_local else home.url},
        online_store=store,
        entity_key_serialization_version=3,
    )


def _patient(redis: str, seconds: float | None) -> str:
    """What to append to a connection string so that no call waits longer; what it says itself stands."""
    wanted = {} if seconds is None else {"socket_timeout": seconds, "socket_connect_timeout": seconds, "retry": "null"}
    return "".join(f",{name}={value}" for name, value in wanted.items() if f",{name}=" not in redis)


@contextmanager
def _modules_of(repo: Path) -> Iterator[list[str]]:
    """Names of the folder's modules, importable within and forgotten after: another home declares others."""
    names = sorted(file.stem for file in repo.glob("*.py"))
    hidden = {name: sys.modules.pop(name) for name in names if name in sys.modules}
    sys.path.insert(0, str(repo))
    importlib.invalidate_caches()
    try:
        yield names
    finally:
        sys.path.remove(str(repo))
        for name in names:
            sys.modules.pop(name, None)
        sys.modules.update(hidden)


def registered_versions(settings: Settings) -> set[str]:
    """Versions of the feature tables that Feast's registry names: the last `remora features apply` may be older than
    the current tables.
    """
    try:
        store = open_store(settings)
    except NotBuilt:
        return set()
    paths = (getattr(one, "path", None) or "" for one in store.registry.list_data_sources(store.project))
    return {found[1] for path in paths if (found := OF_TABLES.search(path))}


def _registered(store: FeatureStore) -> list[Any]:
    registry, project = store.registry, store.project
    return [
        *registry.list_feature_services(project),
        *registry.list_on_demand_feature_views(project),
        *registry.list_feature_views(project),
        *(one for one in registry.list_data_sources(project)),
        *(one for one in registry.list_entities(project) if one.name != "__dummy"),
    ]


def _kind(one: Declaration) -> str:
    if isinstance(one, DataSource):
        return "sources"
    return {
        Entity: "entities",
        FeatureView: "views",
        OnDemandFeatureView: "on_demand_views",
        FeatureService: "services",
    }[type(one)]
