"""Applies the retention of the settings to a home: bundles and everything else that commands leave in it."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from remora.core.artifacts import VERSIONS, ArtifactStore
from remora.core.errors import UnreadableInput
from remora.core.home import Home, StoredFile
from remora.core.json_document import read_document
from remora.registry.bundles import Bundles
from remora.registry.documents import LINEAGE
from remora.registry.garbage import BundleGarbage
from remora.registry.lineage import Lineage
from remora.registry.retention import RUNS, Garbage, Needs, expired
from remora.registry.store import FOLDER
from remora.settings import Settings
from remora.settings.one_writer import one_writer
from remora.settings.retention import KINDS


@dataclass(frozen=True, kw_only=True)
class GarbageReport:
    """What can go, or has gone. ``freed_bytes``: without what versions that stay share with it on disk."""

    garbage: tuple[Garbage, ...]
    freed_bytes: int


def collect(
    settings: Settings, *, in_use: Mapping[str, Collection[str]], delete: bool, now: datetime | None = None
) -> GarbageReport:
    """What `retention` of the settings no longer keeps; removed only when ``delete`` is set.

    ``in_use`` are versions by kind of artifact that stay besides: what Feast's registry names. Current versions stay,
    what they were made from, and what the bundles were made from that an alias means or replicas hold. Removing needs
    the home's writer lock (NotReady says who has it), so that no version goes that a command is making something of.
    Readers take no lock: what was replaced within `retention.min_age_hours` stays for them.
    """
    home, now = Home(settings.home), now or datetime.now(UTC)
    with one_writer(settings, "remora gc") if delete else nullcontext():
        bundles = Bundles(settings) if home.folders(FOLDER) else None
        of_bundles = bundles.gc(keep=settings.retention.keep_bundles, now=now) if bundles else ()
        needs = Needs(
            versions=_versions_needed(home, bundles, in_use),
            bundles={*(bundles.store.ids() if bundles else ())} - {one.id for one in of_bundles},
            runs=_last_runs(home),
        )
        files = home.stored("")
        found = expired(files, needs, settings.retention, now)
        garbage = (*(_of_bundle(one) for one in of_bundles), *found)
        freed = _freed(home, files, garbage)
        if delete:
            if bundles:
                bundles.gc(keep=settings.retention.keep_bundles, delete=True, now=now)
            for one in found:
                _remove(home, one)
    return GarbageReport(garbage=garbage, freed_bytes=freed)


def _versions_needed(home: Home, bundles: Bundles | None, in_use: Mapping[str, Collection[str]]) -> dict[str, set[str]]:
    """By kind: the current version, what current ones name as their inputs, ``in_use``, and the needed bundles'."""
    needed: dict[str, set[str]] = {kind: set(in_use.get(kind, ())) for kind in KINDS}
    for kind in KINDS:
        artifacts = ArtifactStore(home, kind, "")
        version = artifacts.current_version()
        if version is None:
            continue
        metadata = artifacts.metadata(version)
        if metadata is None:  # the pointer is damaged, or its version is lost: any of them may be the one that it means
            needed[kind].update(home.folders(f"{kind}/{VERSIONS}"))
            continue
        needed[kind].add(version)
        _add(needed, metadata.items())
    if bundles is not None:
        for id in bundles.needed():
            path = f"{FOLDER}/{id}/{LINEAGE}"
            with suppress(FileNotFoundError, UnreadableInput):  # a bundle that is gone or damaged names no version
                _add(needed, read_document(home, path, Lineage, "").artifacts.items())
    return needed


def _add(needed: Mapping[str, set[str]], inputs: Iterable[tuple[str, object]]) -> None:
    for kind, version in inputs:
        if kind in needed and isinstance(version, str):
            needed[kind].add(version)


def _last_runs(home: Home) -> set[str]:
    """The last run, and the last that succeeded: how late the next one is counts from there."""
    names = [name for name in reversed(home.files(RUNS)) if name.endswith(".json")]
    kept = set(names[:1])
    for name in names:
        try:
            if read_document(home, f"{RUNS}/{name}", dict[str, Any], "").get("outcome") == "succeeded":
                kept.add(name)
                break
        except UnreadableInput:
            continue
    return {name.removesuffix(".json") for name in kept}


def _of_bundle(one: BundleGarbage) -> Garbage:
    why = "no alias or replica needs it" if one.complete else "an interrupted build or import left it"
    return Garbage(kind="bundle", name=one.path, path=f"{FOLDER}/{one.path}", why=why, bytes=one.bytes, at=one.at)


def _remove(home: Home, one: Garbage) -> None:
    kind, folder, version = (*one.path.split("/", 2), "", "")[:3]
    if kind in KINDS and folder == VERSIONS:
        ArtifactStore(home, kind, "").remove(version)
    else:
        home.delete(one.path)


def _freed(home: Home, files: Sequence[StoredFile], garbage: Collection[Garbage]) -> int:
    """Bytes that removing it frees: a file with another name in what stays is still there."""
    going = {one.path for one in garbage}
    gone = [file for file in files if any(path in going for path in _with_parents(file.path))]
    if not home.is_local:
        return sum(file.bytes for file in gone)
    freed, links = 0, dict[tuple[int, int], int]()
    for file in gone:
        try:
            status = os.stat(home.at(file.path))
        except FileNotFoundError:
            continue
        key = (status.st_dev, status.st_ino)
        links[key] = links.get(key, 0) + 1
        # Versions share files by hard links: the bytes are free when the last name goes.
        freed += status.st_size if links[key] == status.st_nlink else 0
    return freed


def _with_parents(path: str) -> Iterator[str]:
    while path:
        yield path
        path = path.rpartition("/")[0]
