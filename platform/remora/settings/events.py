"""Events that are sent while they happen: how they are taken in, and how long the log keeps them."""

from __future__ import annotations

from pydantic import Field

from remora.core.section import Section
from remora.settings.bounds import MOST_DAYS, MOST_SECONDS
from remora.settings.local_path import LocalPath


class KafkaSettings(Section):
    """Topics of Kafka, or of a broker that speaks its protocol, in place of files. Needs the extra `kafka`."""

    brokers: str | None = Field(
        None, min_length=1, description="`host:port`, with commas between several; none: the log is files"
    )
    topic_prefix: str = Field(
        "remora-",
        pattern=r"^[A-Za-z0-9._-]{1,200}$",
        description="before `events`, `slates`, `items` and `users`: names of topics",
    )
    properties_file: LocalPath | None = Field(
        None,
        description="lines `name=value` of the client (librdkafka), such as security.protocol and sasl.password",
    )


class LiveSettings(Section):
    """The live state of users: an event changes what is known of its user, and the next slate."""

    enabled: bool = Field(True, description="keep it, where events are taken in and `production` is served")
    writers: int = Field(1, ge=1, le=1_000, description="processes that users are divided among, by a hash of the id")
    replicas: int = Field(
        1, ge=1, le=10, description="processes of each writer: one writes, the others follow and take over at once"
    )
    max_events_per_user: int = Field(
        20_000, ge=100, le=100_000_000, description="latest events of a user that the live state is made of"
    )


class EventsSettings(Section):
    """`POST /v1/events`, items and users that are sent, and their log."""

    intake: bool = Field(True, description="answer `POST /v1/events`")
    entities: bool = Field(True, description="where events are taken, answer `PUT` and `DELETE` of items and users too")
    kafka: KafkaSettings = KafkaSettings()
    live: LiveSettings = LiveSettings()
    folder: LocalPath | None = Field(
        None,
        description="folder of the log on the disk of each node; none: `log` in the home. A home on S3 needs one",
    )
    segment_bytes: int = Field(64 << 20, ge=1 << 10, le=1 << 40, description="after which a file of the log is closed")
    segment_seconds: float = Field(
        300.0, gt=0, le=MOST_SECONDS, description="after which it is closed although it is smaller"
    )
    retention_days: float = Field(
        7.0, ge=0, le=MOST_DAYS, description="how long files of the log stay once they are in the home's events"
    )
    max_waiting: int = Field(
        20_000,
        ge=1,
        le=100_000_000,
        description="events of a replica, items or users that wait for the disk before it answers 503",
    )
    known_ids: int = Field(
        100_000,
        ge=0,
        le=1_000_000_000,
        description="latest event ids by which a replica says `duplicate`; the lake has each once in any case",
    )
    outcome_lateness_hours: float = Field(
        24.0,
        ge=0,
        le=24 * MOST_DAYS,
        description="how long `remora events outcomes` waits, after the horizon, for events that arrive late",
    )
    log_slates: bool = Field(True, description="log every slate that is served")
    log_features_share: float = Field(
        0.01,
        ge=0,
        le=1,
        description="share of requests, by a hash of their ids, whose record has what the ranker read of the items",
    )
    max_waiting_slates: int = Field(
        10_000, ge=1, le=100_000_000, description="served slates of a replica that wait for the disk; more are dropped"
    )
