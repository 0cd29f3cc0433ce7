"""Where the declarations of features lie, and what was applied of them."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from remora.core.errors import SettingsError
from remora.core.project_folders import FEATURE_REPO, original
from remora.core.redaction import redacted_connection
from remora.settings import Settings


def feature_repo() -> Path:
    """$REMORA_FEATURE_REPO, else ``feature_repo`` of the working directory, else Remora's own.

    SettingsError where no such folder exists.
    """
    named = os.environ.get("REMORA_FEATURE_REPO")
    tried = [Path(named)] if named else [Path(FEATURE_REPO), original(FEATURE_REPO)]
    for folder in tried:
        if (folder / "entities.py").is_file():
            return folder.resolve()
    raise SettingsError(
        f"No feature declarations in {' or '.join(map(str, tried))}. Work in a folder that has feature_repo/, or set "
        f"REMORA_FEATURE_REPO to one."
    )


def applied_as(settings: Settings, tables: str) -> dict[str, str]:
    """What an apply of the feature tables of that version depends on, without credentials."""
    digest = hashlib.sha256()
    for file in sorted(feature_repo().glob("*.py")):
        digest.update(f"{file.name}\0".encode() + file.read_bytes())
    return {
        "tables": tables,
        "declarations": digest.hexdigest()[:16],
        "registry": redacted_connection(settings.features.registry),
        "online store": redacted_connection(settings.features.redis),
    }
