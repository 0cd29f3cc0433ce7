"""The URL of an SQLite file, as SQLAlchemy reads it."""

from __future__ import annotations

from pathlib import Path


def sqlite_url(path: str | Path) -> str:
    """A URL that means ``path`` whatever is in it: `%`, `?` and `#` are quoted.

    >>> sqlite_url("/home/a b/what?/mlflow.db")
    'sqlite:////home/a b/what%3F/mlflow.db'
    """
    from sqlalchemy import URL

    return URL.create("sqlite", database=str(path)).render_as_string(hide_password=False)
