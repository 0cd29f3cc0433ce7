"""Writes the folders of a project: the same that a checkout of Remora has at its top, for their user to edit."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from remora.core.home import storage_errors
from remora.core.project_folders import PROJECT_FOLDERS, original

IGNORED = ".remora/\n__pycache__/\n"
"""Of the project's .gitignore. `ray job submit --working-dir .` reads it too and leaves the home where it is."""


@dataclass(frozen=True)
class ProjectFiles:
    """Files that were written, and those that stayed because they have another content."""

    written: tuple[Path, ...]
    kept: tuple[Path, ...]


def project_files() -> dict[str, str]:
    """Path within a project -> text, of all that a project has beside its settings."""
    return {name: file.read_text() for name, file in _originals()} | {".gitignore": IGNORED}


def write_project(folder: Path, files: Mapping[str, str], *, replace: Collection[str] = ()) -> ProjectFiles:
    """Write the files below ``folder``. One that is there already stays as it is, unless ``replace`` has its name.

    StorageError where one cannot be written.
    """
    written, kept = [], []
    for name, text in files.items():
        path = folder / name
        if path.exists() and name not in replace:
            kept += [] if path.is_file() and path.read_text(errors="backslashreplace") == text else [path]
            continue
        with storage_errors(str(path)):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        written.append(path)
    return ProjectFiles(tuple(written), tuple(kept))


def _originals() -> Iterator[tuple[str, Path]]:
    for folder in PROJECT_FOLDERS:
        for file in sorted(original(folder).glob("*")):
            if file.suffix in (".py", ".yaml") and file.is_file():
                yield f"{folder}/{file.name}", file
