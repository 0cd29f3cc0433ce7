"""How the files of the sources differ from those that a lake was made of, told quickly: by a listing, and by hashes of
what is small."""

from __future__ import annotations

from dataclasses import dataclass

from remora.core.home import Home
from remora.ingest.file_fingerprints import FileFingerprints, Place, place_of
from remora.ingest.inspect import locate_table
from remora.ingest.provenance import TABLES
from remora.settings import Settings

MOST_HASHED_BYTES = 256 << 20
"""Of all files whose times do not tell whether they changed: so many are read in a moment."""


@dataclass(frozen=True, kw_only=True)
class SourceChanges:
    """Files by path. ``rewritten`` ones have the size that they had, and are too large to be read for their hash."""

    new: tuple[str, ...]
    gone: tuple[str, ...]
    changed: tuple[str, ...]
    rewritten: tuple[str, ...]

    @property
    def are_sure(self) -> bool:
        """Is another lake to be expected, whatever the rewritten files hold?"""
        return bool(self.new or self.gone or self.changed)

    @property
    def said(self) -> list[str]:
        """A sentence for each kind of change."""
        kinds = {
            "new": self.new,
            "gone": self.gone,
            "not as it was": self.changed,
            "written again, maybe with the same content": self.rewritten,
        }
        return [f"{_some(paths)} {what}" for what, paths in kinds.items() if paths]


def source_changes(settings: Settings, home: Home, known: FileFingerprints) -> SourceChanges:
    """The files of the settings' sources against those that are ``known``; DataError where a source has none."""
    new, changed, rewritten, seen, hashed = list[str](), list[str](), list[str](), set[Place](), 0
    for table in TABLES:
        for _, found in locate_table(getattr(settings.data, table), home):
            for file in found.files:
                place = place_of(table, file)
                seen.add(place)
                if place not in known:
                    new.append(file.path)
                elif known[place].bytes != file.size:
                    changed.append(file.path)
                elif not known[place].is_of(file):
                    hashed += file.hashed_bytes
                    if file.hashed_bytes and hashed > MOST_HASHED_BYTES:
                        rewritten.append(file.path)
                    elif file.sha256() != known[place].sha256:
                        changed.append(file.path)
    gone = [place.path for place in known if place not in seen]
    return SourceChanges(new=tuple(new), gone=tuple(gone), changed=tuple(changed), rewritten=tuple(rewritten))


def _some(paths: tuple[str, ...]) -> str:
    more = f" and {len(paths) - 1:,} more are" if len(paths) > 1 else " is"
    return f"{paths[0]}{more}"
