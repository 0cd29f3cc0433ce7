"""Where MLflow keeps runs, bundles' versions and aliases: a server when one is named, else SQLite in the home."""

from __future__ import annotations

import contextlib
import os
import tempfile
from functools import cache
from pathlib import Path

from remora.core.errors import SettingsError, StorageError
from remora.core.home import Home, storage_errors
from remora.core.locks import POSTGRESQL, advisory
from remora.core.redaction import redacted, without_credentials
from remora.core.sqlite import sqlite_url
from remora.settings import Settings

FOLDER = "mlflow"
DATABASE = "mlflow.db"
ARTIFACTS = "artifacts"


def tracking_uri(settings: Settings) -> str:
    """The MLflow tracking and registry URI; the tables of a database are made when they are not there yet.

    SettingsError when the home is not a local directory and no server is named: SQLite needs a file.
    """
    if settings.tracking_uri:
        if settings.tracking_uri.startswith(POSTGRESQL):
            _fill(settings.tracking_uri, artifact_root(settings))
        return settings.tracking_uri
    if "://" in settings.home:
        raise SettingsError(
            f"The home {settings.home} is not a local directory, so MLflow cannot keep its database in it. "
            f"Set tracking_uri to a server (http://…) or a database (postgresql://…)."
        )
    database = Path(Home(settings.home).make_folder(FOLDER)) / DATABASE
    if not database.exists():
        _create(database)
    return sqlite_url(database)


def artifact_root(settings: Settings) -> str:
    """The URI below which runs put their files; give it to MLflow when an experiment is created."""
    if "://" in settings.home:
        return f"{without_credentials(settings.home).rstrip('/')}/{FOLDER}/{ARTIFACTS}"
    return (Path(Home(settings.home).at(FOLDER)) / ARTIFACTS).as_uri()


@cache
def _fill(database: str, artifacts: str) -> None:
    """Make the tables in PostgreSQL, once a process: MLflow itself keeps out others of the same machine only."""
    from mlflow.exceptions import MlflowException
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
    from sqlalchemy.exc import SQLAlchemyError

    with advisory(database, "tables of MLflow"):
        try:
            SqlAlchemyStore(database, artifacts).engine.dispose()
        except (MlflowException, SQLAlchemyError) as error:
            raise StorageError(f"MLflow cannot use {redacted(database)}: {error}") from error


def _create(database: Path) -> None:
    """Make the tables in a file aside, then link it into place.

    MLflow's clients create tables without a lock: two processes that open a new database at once both try, and one
    fails; a crash in the middle leaves a database that no client can open.
    """
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    with storage_errors(str(database)), tempfile.TemporaryDirectory(dir=database.parent, prefix=".new-") as folder:
        aside = Path(folder) / DATABASE
        store = SqlAlchemyStore(sqlite_url(aside), (database.parent / ARTIFACTS).as_uri())
        store.engine.dispose()
        with contextlib.suppress(FileExistsError):  # another process was faster; its database is as good
            os.link(aside, database)
