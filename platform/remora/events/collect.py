"""Collecting: what the log has taken comes into the home's files, from which the ingest reads it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from remora.core.errors import NotReady
from remora.core.home import Home
from remora.events.compaction import Compaction, compact, read_compacted, segments
from remora.events.settings import log_folder
from remora.ingest.sent_events import FOLDER
from remora.settings import Settings


@dataclass(frozen=True, kw_only=True)
class LogStatus:
    """This node's log: ``folder`` is None where there is none."""

    folder: str | None = None
    segments: int = 0
    bytes: int = 0
    uncollected_bytes: int = 0
    collected_files: int = 0


def collect(settings: Settings) -> Compaction:
    """Bring what this node's log has since the last time; nothing where there is no log.

    Each node that has a log of its own, on a disk of its own, collects it. NotReady while another process does it.
    """
    folder = _folder(settings)
    if folder is None:
        return Compaction()
    return compact(Home(settings.home), [folder], retention_seconds=settings.events.retention_days * 86_400)


def log_status(settings: Settings) -> LogStatus:
    """What there is."""
    folder, home = _folder(settings), Home(settings.home)
    collected = len(home.files(FOLDER))
    if folder is None:
        return LogStatus(collected_files=collected)
    read = read_compacted(home).read
    sizes = {path.stem: path.stat().st_size for path in segments(folder) if path.exists()}
    return LogStatus(
        folder=str(folder),
        segments=len(sizes),
        bytes=sum(sizes.values()),
        uncollected_bytes=sum(max(0, size - read.get(name, 0)) for name, size in sizes.items()),
        collected_files=collected,
    )


def _folder(settings: Settings) -> Path | None:
    try:
        folder = log_folder(settings)
    except NotReady:
        return None
    return folder if folder.is_dir() else None
