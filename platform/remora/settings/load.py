"""Reading the settings file, and remembering which home is active on this machine."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from remora.core.errors import SettingsError, UnsupportedFormat
from remora.core.home import Home, storage_errors
from remora.core.mistakes import listed
from remora.core.private import make_private
from remora.settings.home_path import checked_home
from remora.settings.installed import check_installed
from remora.settings.references import referring, resolved
from remora.settings.tree import Settings
from remora.settings.yaml_file import dump, parse, read_text

log = logging.getLogger(__name__)

WRITTEN = "settings.yaml"

FORMAT, FORMAT_FILE = 9, "format"
"""Of a home: settings, documents and artifacts with the names of this version."""

ACTIVE = Path(".remora/active")
"""Link to the home that commands without --config mean: the one used last."""


def load(path: str | Path | None = None, **overrides: Any) -> Settings:
    """Settings from a YAML file; ``overrides`` replace top-level sections.

    Without a path: $REMORA_CONFIG, else those of the home that $REMORA_HOME names, else those of the active home.
    ``$REMORA_HOME`` overrides the home.
    ``${NAME}`` and ``${file:PATH}`` are filled in: see :mod:`remora.settings.references`.
    Raises SettingsError with the place of each mistake, and UnsupportedFormat for a home that another version of Remora
    has made.
    """
    file = _find(path)
    values, references = resolved(parse(read_text(file), file), file)
    values |= overrides
    if home := os.environ.get("REMORA_HOME"):
        values["home"] = home
    try:
        settings = Settings(**values)
    except ValidationError as error:
        raise SettingsError(f"{file}: {listed(error, Settings)}") from error
    check_installed(settings)
    home = checked_home(settings.home or f".remora/{settings.name}")
    if "://" not in home:
        _check_format(Path(home))
    return settings.model_copy(update={"home": home}).with_references(references)


def activate(settings: Settings) -> None:
    """Make a local home the one that commands without --config, and feature_repo/, mean.

    Its settings are written down with the references that they were read with, never with what those stand for.
    UnsupportedFormat for a home that another version of Remora has made. StorageError where it cannot be written.
    Where the working directory cannot, the home is not remembered, which is logged.
    """
    if "://" in settings.home:
        return
    home = Path(settings.home)
    with storage_errors(str(home)):
        _check_format(home)  # again: another process may have made the home since these were read
        make_private(home, is_home=(home / WRITTEN).is_file())
        Home(settings.home).write_bytes(FORMAT_FILE, f"{FORMAT}\n".encode())
    values = settings.model_dump(mode="json")
    references = {place: one for place, one in settings.references.items() if place != ("home",)}
    Home(settings.home).write_bytes(WRITTEN, dump(referring(values, references)).encode())
    try:
        _remember(home)
    except OSError as error:
        log.warning(
            "%s is not remembered as the home used last, as %s cannot be written: %s. Pass --config to each command, "
            "or set REMORA_CONFIG.",
            home,
            Path.cwd() / ACTIVE,
            error.strerror,
        )


def _check_format(home: Path) -> None:
    if (home / WRITTEN).is_file():
        written = home / FORMAT_FILE
        found = written.read_text(errors="backslashreplace").strip() if written.is_file() else "2 or older"
        if found != str(FORMAT):
            raise UnsupportedFormat(str(home), found, str(FORMAT))


def _remember(home: Path) -> None:
    ACTIVE.parent.mkdir(parents=True, exist_ok=True)
    aside = ACTIVE.with_name(f"active.{os.getpid()}")
    aside.unlink(missing_ok=True)
    # Made aside and renamed: `os.symlink` does not replace a link, and without one commands know no home.
    aside.symlink_to(home)
    os.replace(aside, ACTIVE)


def _find(path: str | Path | None) -> Path:
    named = path or os.environ.get("REMORA_CONFIG")
    home = os.environ.get("REMORA_HOME", "")
    of_home = Path(checked_home(home)) / WRITTEN if home and "://" not in home else ACTIVE / WRITTEN
    file = Path(named) if named else of_home
    if file.exists():
        return file
    if named:
        raise SettingsError(f"There is no settings file '{file}'. Pass --config FILE; `remora init` writes one.")
    if home:
        raise SettingsError(
            f"The home {home} of REMORA_HOME has no {WRITTEN} yet. Pass --config FILE, or set REMORA_CONFIG; "
            f"`remora init` writes one."
        )
    raise SettingsError(
        "No home is active here. Pass --config FILE, or set REMORA_CONFIG; `remora init` writes a settings file."
    )
