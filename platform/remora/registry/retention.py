"""Which of a home's files have outlived the settings' retention: a decision over a listing, which removes nothing."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from remora.core.artifacts import LEFT, METADATA, STAGING, VERSIONS
from remora.core.home import StoredFile
from remora.registry.garbage import ASIDE
from remora.settings.retention import KINDS, RetentionSettings

CHECKPOINTS = ("training", "tuning/runs")
"""Folders with a folder for each training or search that has not ended."""

RUNS, GATES, OPENED = "runs", "gates", "serving/opened"

STAGED = re.compile(rf"([a-z_]+)/{STAGING}/([^/]+)/")
CHECKPOINT = re.compile(rf"({'|'.join(CHECKPOINTS)})/([^/]+)/")
NEW_DATABASE = re.compile(r"(mlflow)/(\.new-[a-z0-9_]{8})/")


@dataclass(frozen=True, kw_only=True)
class Garbage:
    """What can go: a file or folder at ``path`` of the home; ``at`` is when it was last written, or replaced."""

    kind: str
    name: str
    path: str
    why: str
    bytes: int
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What stays whatever its age. ``versions``: by kind of artifact; ``runs``: ids of records."""

    versions: Mapping[str, Collection[str]] = field(default_factory=dict)
    bundles: Collection[str] = ()
    runs: Collection[str] = ()


def expired(files: Sequence[StoredFile], needs: Needs, settings: RetentionSettings, now: datetime) -> list[Garbage]:
    """Of a listing of a whole home, what can go, oldest first; bundles have a decision of their own."""
    found = [
        *(one for kind in KINDS for one in _versions(kind, files, needs.versions.get(kind, ()), settings, now)),
        *_left(files, STAGED, "staging", "an interrupted command left it", _hours(settings.staging_hours), now),
        *_left(files, NEW_DATABASE, "staging", "an interrupted command left it", _hours(settings.staging_hours), now),
        *_left(files, CHECKPOINT, "checkpoint", "nothing resumed it", timedelta(days=settings.checkpoints_days), now),
        *_aside(files, _hours(settings.staging_hours), now),
        *_records(files, needs, settings, now),
    ]
    return sorted(found, key=lambda one: (one.at, one.path))


def _versions(
    kind: str, files: Sequence[StoredFile], needed: Collection[str], settings: RetentionSettings, now: datetime
) -> Iterator[Garbage]:
    """Versions that are not needed, not among the newest and were not replaced just now; and those without metadata.

    How new a version is counts from when it was made, or last stopped being the current one.
    """
    inside, prefix = defaultdict(list), f"{kind}/{VERSIONS}/"
    for file in files:
        if file.path.startswith(prefix):
            inside[file.path.removeprefix(prefix).partition("/")[0]].append(file)
    left = {file.path.rpartition("/")[2]: file.at for file in files if file.path.startswith(f"{kind}/{LEFT}/")}
    made = {
        version: file.at
        for version, some in inside.items()
        for file in some
        if file.path == f"{prefix}{version}/{METADATA}"
    }
    last = {version: max(at, left.get(version, at)) for version, at in made.items()}
    newest = sorted(last, key=lambda version: (last[version], version), reverse=True)
    keep: int = getattr(settings.keep_versions, kind)
    for version in newest[keep:]:
        if version not in needed and now - last[version] >= _hours(settings.min_age_hours):
            why = f"replaced, and not among the newest {keep}"
            yield _whole(kind, version, prefix + version, why, inside[version], last[version])
    for version, some in inside.items():
        written = max(file.at for file in some)
        if version not in made and now - written >= _hours(settings.staging_hours):
            yield _whole("staging", version, prefix + version, "it was never completed", some, written)


def _left(
    files: Sequence[StoredFile], pattern: re.Pattern[str], kind: str, why: str, patience: timedelta, now: datetime
) -> Iterator[Garbage]:
    """Folders of that pattern in which nothing was written for a while."""
    inside = defaultdict(list)
    for file in files:
        if match := pattern.match(file.path):
            inside[match[1], match[2], match[0].rstrip("/")].append(file)
    for (of, name, path), some in inside.items():
        written = max(file.at for file in some)
        if now - written >= patience:
            yield _whole(kind, f"{of} {name}", path, why, some, written)


def _aside(files: Sequence[StoredFile], patience: timedelta, now: datetime) -> Iterator[Garbage]:
    """Single files that a killed process wrote aside; those of bundles go with the bundles' own decision."""
    for file in files:
        apart = file.path.startswith("bundles/") or STAGED.match(file.path) or CHECKPOINT.match(file.path)
        if ASIDE.search(file.path) and not apart and now - file.at >= patience:
            yield _whole("file", file.path, file.path, "an interrupted write left it", [file], file.at)


def _records(
    files: Sequence[StoredFile], needs: Needs, settings: RetentionSettings, now: datetime
) -> Iterator[Garbage]:
    """Records of runs, gate reports of bundles that are gone, and what was noted when such bundles were opened."""
    for file in files:
        old = now - file.at >= timedelta(days=settings.records_days)
        folder, _, name = file.path.rpartition("/")
        if folder == RUNS and name.endswith(".json") and old and name.removesuffix(".json") not in needs.runs:
            yield _whole("run record", name, file.path, "old", [file], file.at)
        if folder.startswith(f"{GATES}/") and old and folder.removeprefix(f"{GATES}/") not in needs.bundles:
            yield _whole("gate report", file.path.removeprefix(f"{GATES}/"), file.path, "old", [file], file.at)
        aged = now - file.at >= _hours(settings.staging_hours)
        if folder == OPENED and aged and name.partition(".")[0] not in needs.bundles:
            yield _whole("serving note", name, file.path, "its bundle is gone", [file], file.at)


def _hours(hours: float) -> timedelta:
    return timedelta(hours=hours)


def _whole(kind: str, name: str, path: str, why: str, files: Sequence[StoredFile], at: datetime) -> Garbage:
    return Garbage(kind=kind, name=name, path=path, why=why, bytes=sum(file.bytes for file in files), at=at)
