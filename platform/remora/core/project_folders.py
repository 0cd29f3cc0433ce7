"""The folders that a project has at its top, as Remora brings them."""

from __future__ import annotations

from pathlib import Path

import remora

FEATURE_REPO, JOBS, SERVE_APPS = "feature_repo", "jobs", "serve_apps"

PROJECT_FOLDERS = (FEATURE_REPO, JOBS, SERVE_APPS)


def original(folder: str) -> Path:
    """Where Remora's own copy of one of PROJECT_FOLDERS lies: in the installed package, or at the top of the checkout.

    >>> (original("feature_repo") / "entities.py").is_file()
    True
    """
    package = Path(remora.__file__).parent
    packaged = package / "project" / folder
    return packaged if packaged.is_dir() else package.parents[1] / folder
