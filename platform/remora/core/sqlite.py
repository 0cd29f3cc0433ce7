"""The URL of an SQLite file, as SQLAlchemy and MLflow read it."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import quote


def sqlite_url(path: str | Path) -> str:
    """A URL that means ``path`` whatever is in it: `%`, `?` and `#` are quoted.

    Nothing else is, letters of other scripts neither: MLflow makes the file's folder from the URL as it is written.

    >>> sqlite_url("/home/a b/what?/日本/mlflow.db")
    'sqlite:////home/a b/what%3F/日本/mlflow.db'
    """
    return "sqlite:///" + re.sub("[%?#]", lambda mark: quote(mark[0], safe=""), str(path))
