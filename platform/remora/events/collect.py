"""Collecting: what the log has taken comes into the home's files, from which the ingest reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

from remora.core.home import Home
from remora.events.compaction import Compaction, Convert, compact, read_compacted
from remora.events.from_settings import ENTITIES, EVENTS, SLATES, reader_of
from remora.events.log import LogReader
from remora.events.tables import SERVED, event_tables, slate_tables
from remora.events.tables import SLATES as SLATE_FOLDER
from remora.events.update_tables import update_tables
from remora.ingest.sent_events import FOLDER
from remora.ingest.sent_updates import FOLDERS
from remora.settings import Settings

COLLECTED: Mapping[str, str] = {EVENTS: FOLDER, SLATES: SLATE_FOLDER, **FOLDERS}
"""Where the records of a topic are in the home. Slates that are declared as events are with those too."""


@dataclass(frozen=True, kw_only=True)
class LogStatus:
    """``logs``: the topics that there are, each with how much of it is not collected: bytes of this node's files, or
    records of Kafka's topics. ``collected``: files of the home, by topic."""

    logs: Mapping[str, int] = field(default_factory=dict)
    collected: Mapping[str, int] = field(default_factory=dict)


def collect(settings: Settings) -> Compaction:
    """Bring what the log has since the last time; nothing where there is no log.

    Each node that has a log on a disk of its own collects it. NotReady while another process does it.
    """
    converted: dict[str, Convert] = {
        EVENTS: event_tables,
        SLATES: partial(slate_tables, as_events=SERVED in settings.data.event_types),
        **{kind: partial(update_tables, kind) for kind in ENTITIES},
    }
    topics = [(reader, converted[topic]) for topic, reader in _readers(settings).items()]
    if not topics:
        return Compaction()
    return compact(Home(settings.home), topics, retention_seconds=settings.events.retention_days * 86_400)


def log_status(settings: Settings) -> LogStatus:
    """What there is."""
    home = Home(settings.home)
    read = read_compacted(home).read
    logs = {topic: reader.uncollected(read) for topic, reader in _readers(settings).items()}
    collected = {topic: len(home.files(folder)) for topic, folder in COLLECTED.items()}
    return LogStatus(logs=logs, collected={topic: files for topic, files in collected.items() if files})


def has_new_records(settings: Settings) -> bool:
    """Does the log have something for the lake that is not collected? Slates are, where they are declared as events."""
    logs = log_status(settings).logs
    topics = [EVENTS, *(kind for kind in ENTITIES if getattr(settings.data, kind))]
    if SERVED in settings.data.event_types:
        topics.append(SLATES)
    return any(logs.get(topic) for topic in topics)


def _readers(settings: Settings) -> dict[str, LogReader]:
    """Of the topics that there are."""
    found = {topic: reader_of(settings, topic) for topic in (EVENTS, SLATES, *ENTITIES)}
    return {topic: reader for topic, reader in found.items() if reader is not None and reader.exists()}
