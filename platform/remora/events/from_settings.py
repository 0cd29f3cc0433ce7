"""The log and the intake that the settings ask for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from remora.core.errors import MissingInput, NotReady, SettingsError
from remora.core.home import Home
from remora.events.contract import EventContract
from remora.events.entity_intake import EntityIntake
from remora.events.entity_update import EntityKind
from remora.events.file_log import FileLog
from remora.events.intake import Intake
from remora.events.kafka_log import KafkaLog, KafkaReader
from remora.events.log import EventLog, LogReader
from remora.events.segment_reader import SegmentReader
from remora.events.slate_log import SlateLog
from remora.settings import Settings
from remora.settings.events import KafkaSettings

EVENTS, SLATES = "events", "slates"
BROKERS = ("bootstrap.servers", "metadata.broker.list")
"""Both are names of one option."""
ENTITIES: tuple[EntityKind, ...] = ("items", "users")
"""Topics of the log: the last two have what was sent of items and users."""


def log_folder(settings: Settings, topic: str = EVENTS) -> Path:
    """Where this node's segments of a topic lie; NotReady where nothing says so."""
    home = Home(settings.home)
    if settings.events.folder is not None:
        return Path(settings.events.folder).expanduser() / topic
    if not home.is_local:
        raise NotReady(
            "Events are not taken: the home is on a store of objects, to whose files nothing can be appended. Set "
            "events.folder to a folder on the disk of each node, or events.kafka.brokers."
        )
    return Path(home.at("log")) / topic


def log_of(settings: Settings, topic: str = EVENTS) -> EventLog:
    """The log of a topic; NotReady as of :func:`log_folder`."""
    chosen = settings.events
    if chosen.kafka.brokers is not None:
        return KafkaLog(kafka_options(chosen.kafka), f"{chosen.kafka.topic_prefix}{topic}")
    folder = log_folder(settings, topic)
    return FileLog(folder, segment_bytes=chosen.segment_bytes, segment_seconds=chosen.segment_seconds)


def reader_of(settings: Settings, topic: str = EVENTS) -> LogReader | None:
    """Reads what the topic has, also before there is something; None where the settings say of no place for it."""
    chosen = settings.events.kafka
    if chosen.brokers is not None:
        return KafkaReader(options=kafka_options(chosen), topic=f"{chosen.topic_prefix}{topic}")
    try:
        folder = log_folder(settings, topic)
    except NotReady:
        return None
    return SegmentReader(folder)


def kafka_options(chosen: KafkaSettings) -> dict[str, str]:
    """The client's: the brokers, and the lines of the properties file. MissingInput without the file, SettingsError for
    a line that has no `=` or names brokers, and for a file that is no text."""
    options = {BROKERS[0]: str(chosen.brokers)}
    if chosen.properties_file is not None:
        path = Path(chosen.properties_file).expanduser()
        if not path.is_file():
            raise MissingInput("file", str(path), hint="events.kafka.properties_file names it.")
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError as error:
            raise SettingsError(f"'{path}' is not UTF-8 at byte {error.start:,}: write lines `name=value`.") from error
        for number, text in enumerate(lines, 1):
            line = text.strip()
            if line and not line.startswith("#"):
                name, is_there, value = line.partition("=")
                if not is_there:
                    raise SettingsError(f"Line {number} of '{path}' has no '=': write `name=value`.")
                if name.strip() in BROKERS:
                    raise SettingsError(
                        f"Line {number} of '{path}' names brokers: they are events.kafka.brokers alone."
                    )
                options[name.strip()] = value.strip()
    return options


def live_users_of(settings: Settings) -> bool:
    """Is a live state of users kept, and is there a log that it can follow?"""
    if not (settings.events.intake and settings.events.live.enabled):
        return False
    return reader_of(settings) is not None


def intake_of(settings: Settings, **options: Any) -> Intake:
    """What takes events in; ``options`` are the clock and the counter of :class:`Intake`. As :func:`log_folder`."""
    chosen = settings.events
    contract = EventContract.of(settings.data)
    return Intake(log_of(settings), contract, max_waiting=chosen.max_waiting, max_known=chosen.known_ids, **options)


def entity_intake_of(settings: Settings, kind: EntityKind, **options: Any) -> EntityIntake:
    """What takes items or users in; ``options`` as of :class:`EntityIntake`. As :func:`log_folder`."""
    return EntityIntake(log_of(settings, kind), kind, max_waiting=settings.events.max_waiting, **options)


def slate_log_of(settings: Settings, dropped: Callable[[int], None]) -> SlateLog:
    """What logs served slates; ``dropped`` is called with how many it cannot. As :func:`log_folder`."""
    return SlateLog(log_of(settings, SLATES), max_waiting=settings.events.max_waiting_slates, dropped=dropped)
