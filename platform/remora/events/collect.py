"""Collecting: what the log has taken comes into the home's files, from which the ingest reads it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from remora.core.errors import NotReady
from remora.core.home import Home
from remora.events.compaction import Compaction, Convert, compact, read_compacted, segments
from remora.events.settings import EVENTS, SLATES, log_folder
from remora.events.tables import SERVED, event_tables, slate_tables
from remora.ingest.sent_events import FOLDER
from remora.settings import Settings


@dataclass(frozen=True, kw_only=True)
class LogStatus:
    """This node's log, in ``folders``; none where there is no log."""

    folders: tuple[str, ...] = ()
    segments: int = 0
    bytes: int = 0
    uncollected_bytes: int = 0
    collected_files: int = 0


def collect(settings: Settings) -> Compaction:
    """Bring what this node's log has since the last time; nothing where there is no log.

    Each node that has a log of its own, on a disk of its own, collects it. NotReady while another process does it.
    """
    converted: dict[str, Convert] = {
        EVENTS: event_tables,
        SLATES: partial(slate_tables, as_events=SERVED in settings.data.event_types),
    }
    topics = {folder: converted[topic] for topic, folder in _folders(settings).items()}
    if not topics:
        return Compaction()
    return compact(Home(settings.home), topics, retention_seconds=settings.events.retention_days * 86_400)


def log_status(settings: Settings) -> LogStatus:
    """What there is."""
    folders, home = _folders(settings), Home(settings.home)
    read = read_compacted(home).read
    there = [path for folder in folders.values() for path in segments(folder) if path.exists()]
    sizes = {path.stem: path.stat().st_size for path in there}
    return LogStatus(
        folders=tuple(map(str, folders.values())),
        segments=len(sizes),
        bytes=sum(sizes.values()),
        uncollected_bytes=sum(max(0, size - read.get(name, 0)) for name, size in sizes.items()),
        collected_files=len(home.files(FOLDER)),
    )


def _folders(settings: Settings) -> dict[str, Path]:
    """Those that are there, by topic."""
    try:
        folders = {topic: log_folder(settings, topic) for topic in (EVENTS, SLATES)}
    except NotReady:
        return {}
    return {topic: folder for topic, folder in folders.items() if folder.is_dir()}
