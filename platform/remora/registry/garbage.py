"""What is not needed any more: bundles, and what builds and imports that were cut off have left."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from remora.core.home import StoredFile
from remora.registry.manifest import ID, MANIFEST
from remora.registry.promotions import Promotion

QUIET = timedelta(hours=1)
"""What was written more recently may belong to a build or an import that continues."""

ASIDE = re.compile(r"(^|/)\.[^/]+\.[a-z0-9_]{8}$|\.[0-9a-f]{32}$")
"""Names under which files are written before they appear."""


@dataclass(frozen=True, kw_only=True)
class BundleGarbage:
    """A bundle, the folder of one that was never completed, or a file that was written aside; ``id`` of the first two.

    ``path`` is relative to the folder of bundles, ``at`` when it was last written.
    """

    path: str
    id: str | None
    complete: bool
    bytes: int
    at: datetime


def bundle_garbage(
    files: Iterable[StoredFile], needed: Collection[str], *, keep: int, now: datetime
) -> list[BundleGarbage]:
    """Of all that lies in the folder of bundles, what can go, oldest first.

    Complete bundles stay when they are ``needed`` or among the ``keep`` newest. The rest stays for an hour.
    """
    folders = defaultdict(list)
    for file in files:
        folders[file.path.partition("/")[0]].append(file)
    bundles = [_bundle(id, inside) for id, inside in folders.items() if ID.fullmatch(id)]
    complete = sorted((b for b in bundles if b.complete), key=lambda b: (b.at, b.path), reverse=True)
    going = [b for b in complete[keep:] if b.path not in needed]
    leftovers = [b for b in bundles if not b.complete]
    whole = {b.path for b in (*going, *leftovers)}
    for folder, inside in folders.items():
        if folder not in whole:
            leftovers += [_aside(file) for file in inside if ASIDE.search(file.path)]
    going += [left for left in leftovers if now - left.at >= QUIET]
    return sorted(going, key=lambda u: (u.at, u.path))


def recently_promoted(promotions: Sequence[Promotion], keep: int) -> set[str]:
    """The ``keep`` bundles that were last promoted to anything; oldest promotion first."""
    order = dict.fromkeys(promotion.bundle for promotion in reversed(promotions))
    return set(list(order)[:keep])


def _bundle(id: str, files: Sequence[StoredFile]) -> BundleGarbage:
    manifest = [file.at for file in files if file.path == f"{id}/{MANIFEST}"]
    return BundleGarbage(
        path=id,
        id=id,
        complete=bool(manifest),
        bytes=sum(file.bytes for file in files),
        at=manifest[0] if manifest else max(file.at for file in files),
    )


def _aside(file: StoredFile) -> BundleGarbage:
    return BundleGarbage(path=file.path, id=None, complete=False, bytes=file.bytes, at=file.at)
