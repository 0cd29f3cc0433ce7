"""Collecting: what the log has taken comes into the home's files, from which the ingest reads it."""

from __future__ import annotations

from remora.core.errors import NotReady
from remora.core.home import Home
from remora.events.compaction import Compaction, compact, read_compacted, segments
from remora.events.settings import log_folder
from remora.settings import Settings


def collect(settings: Settings) -> Compaction:
    """Bring what this node's log has since the last time; nothing where there is no log.

    Each node that has a log of its own, on a disk of its own, collects it. NotReady while another process does it.
    """
    try:
        folder = log_folder(settings)
    except NotReady:
        return Compaction()
    if not folder.is_dir():
        return Compaction()
    return compact(Home(settings.home), [folder], retention_seconds=settings.events.retention_days * 86_400)


def uncollected_bytes(settings: Settings) -> int:
    """How much this node's log has that is not collected."""
    try:
        folder = log_folder(settings)
    except NotReady:
        return 0
    if not folder.is_dir():
        return 0
    read = read_compacted(Home(settings.home)).read
    sizes = {path.stem: path.stat().st_size for path in segments(folder) if path.exists()}
    return sum(max(0, size - read.get(name, 0)) for name, size in sizes.items())
