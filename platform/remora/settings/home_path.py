"""Where a home may be."""

from __future__ import annotations

from pathlib import Path

from remora.core.errors import SettingsError
from remora.core.printable import one_line

FORBIDDEN = "%?#*[]{}\\\"'$|<>"
"""Characters that URLs, patterns of files or SQL give a meaning: DuckDB, Polars, Ray Data and MLflow would look for
another folder, or write into one."""
ANOTHER = "Name another folder: `home` of the settings, or REMORA_HOME."


def checked_home(home: str) -> str:
    """The home as an absolute path, or the URL as it is; SettingsError where it cannot be one."""
    if "://" in home:
        return home
    try:
        path = Path(home).expanduser().resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise SettingsError(
            f"The home '{one_line(home)}' has no absolute path: {error}. Give one in REMORA_HOME."
        ) from error
    if wrong := sorted({c for c in str(path) if c in FORBIDDEN or not c.isprintable()}):
        raise SettingsError(
            f"The home '{one_line(str(path))}' has {' '.join(map(ascii, wrong))} in its path, which the libraries "
            f"below read as a pattern or a part of a URL. {ANOTHER}"
        )
    for folder in (path, *path.parents):
        if folder.exists() or folder.is_symlink():
            if not folder.is_dir():
                what = "is a file" if folder.exists() else "is a link to nothing"
                raise SettingsError(f"The home cannot be {path}: {folder} {what}. {ANOTHER}")
            break
    return str(path)
