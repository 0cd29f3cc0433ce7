"""The log and the intake that the settings ask for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from remora.core.errors import NotReady
from remora.core.home import Home
from remora.events.contract import EventContract
from remora.events.file_log import FileLog
from remora.events.intake import Intake
from remora.events.slate_log import SlateLog
from remora.settings import Settings

EVENTS, SLATES = "events", "slates"


def log_folder(settings: Settings, topic: str = EVENTS) -> Path:
    """Where this node's segments of a topic lie; NotReady where nothing says so."""
    home = Home(settings.home)
    if settings.events.folder is not None:
        return Path(settings.events.folder).expanduser() / topic
    if not home.is_local:
        raise NotReady(
            "Events are not taken: the home is on a store of objects, to whose files nothing can be appended. Set "
            "events.folder to a folder on the disk of each node."
        )
    return Path(home.at("log")) / topic


def file_log(settings: Settings, topic: str = EVENTS) -> FileLog:
    """The log of a topic, as :func:`log_folder`."""
    chosen = settings.events
    return FileLog(
        log_folder(settings, topic), segment_bytes=chosen.segment_bytes, segment_seconds=chosen.segment_seconds
    )


def intake_of(settings: Settings, **options: Any) -> Intake:
    """What takes events in; ``options`` are the clock and the counter of :class:`Intake`. As :func:`log_folder`."""
    chosen = settings.events
    contract = EventContract.of(settings.data)
    return Intake(file_log(settings), contract, max_waiting=chosen.max_waiting, max_known=chosen.known_ids, **options)


def slate_log_of(settings: Settings, dropped: Callable[[int], None]) -> SlateLog:
    """What logs served slates; ``dropped`` is called with how many it cannot. As :func:`log_folder`."""
    return SlateLog(file_log(settings, SLATES), max_waiting=settings.events.max_waiting_slates, dropped=dropped)
