"""What names a version of the lake: the settings that it depends on, the code, and the content of every file."""

from __future__ import annotations

from collections.abc import Iterable

from remora.core.artifacts import fingerprint
from remora.core.tables import CONTRACT_VERSION
from remora.ingest.file_fingerprints import FileFingerprint
from remora.settings import Settings
from remora.steps import Provenance
from remora.steps.path import INGEST

LAYOUT_VERSION = 4
"""Of how a lake orders rows and names its files and the keys of its metadata; a change builds all of it again."""

TABLES = ("events", "users", "items")


def lake_provenance(settings: Settings, fingerprints: Iterable[FileFingerprint]) -> Provenance:
    """Of a lake that is made of these files, in their order."""
    # By content alone: a file that was moved or touched makes no new version.
    contents: dict[str, list[str]] = {name: [] for name in TABLES}
    for one in fingerprints:
        contents[one.place.table].append(one.sha256)
    files = {f"files of {name}": fingerprint(files=found) for name, found in contents.items()}
    return INGEST.provenance(settings, {}, _forms() | files)


def config_fingerprint(settings: Settings) -> str:
    """Fingerprint of all that the lake depends on beside its files."""
    return INGEST.provenance(settings, {}, _forms()).version


def _forms() -> dict[str, str]:
    return {"contract": str(CONTRACT_VERSION), "layout": str(LAYOUT_VERSION)}
