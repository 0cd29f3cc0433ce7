from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.release.rollout.driving import begun, controller, driven
from tests.release.rollout.world import World

from remora.core.home import Home
from remora.core.tables import EVENTS
from remora.events.collect import collect
from remora.events.file_log import FileLog
from remora.events.from_settings import log_folder
from remora.ingest.lake import lake_artifacts
from remora.release.rollout.rewards import RewardReader
from remora.release.rollout.sequential.ratios import UserSums
from remora.release.rollout.state import Status
from remora.settings import EventTypeSettings, Settings

NOON = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)
SCHEMA = pa.schema([*EVENTS, pa.field("request_id", pa.string()), pa.field("bundle", pa.string())])


def lake_of(home: Path, events: list[dict[str, Any]], schema: pa.Schema = SCHEMA, version: str = "v1") -> None:
    """A lake of one day."""
    artifacts = lake_artifacts(Home(str(home)))
    staging = artifacts.staging(version)
    rows = [{"event_id": str(n), "item_id": "i", "event_timestamp": NOON} | event for n, event in enumerate(events)]
    folder = Path(staging.at("events/day=2026-11-02"))
    folder.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows, schema), folder / "part-0.parquet")
    artifacts.commit(staging, first=NOON.isoformat(), last=NOON.isoformat(), impression="shown", counts={})


@pytest.fixture
def settings(settings: Settings) -> Settings:
    kinds = {"like": EventTypeSettings(weight=2.0), "hide": EventTypeSettings(weight=1.0, sign=-1)}
    kinds["shown"] = EventTypeSettings(weight=0.0, sign=0)
    data = settings.data.model_copy(update={"event_types": kinds, "impression": "shown"})
    return settings.model_copy(update={"data": data})


def event(user: str, type: str, bundle: str | None, request: str | None = None, **more: Any) -> dict[str, Any]:
    return {"user_id": user, "event_type": type, "bundle": bundle, "request_id": request} | more


EARLY = datetime(2026, 11, 2, 8, 0, tzinfo=UTC)
EVENTS_OF_TWO = [
    event("u", "shown", "new", "r1"),
    event("u", "shown", "new", "r1", item_id="j"),
    event("u", "like", None, "r1"),
    event("u", "hide", None, item_id="j"),  # names no request: it belongs to the last that showed the item
    event("v", "shown", "new", "r2"),
    event("v", "like", None, "r2", item_id="j"),  # which was not shown
    event("w", "shown", "old", "r3"),
    event("w", "like", None, "r3"),
    event("w", "like", None, "r3", event_timestamp=EARLY),
    event("w", "like", "new", "r3"),  # what the event itself says of a bundle does not count
    event("x", "like", "old"),
]


def summed(settings: Settings, since: datetime = NOON) -> dict[str, UserSums]:
    return dict(RewardReader()(settings, since))


def test_rewards_are_summed_by_user_and_bundle(settings: Settings) -> None:
    lake_of(Path(settings.home), EVENTS_OF_TWO)
    found = summed(settings)
    assert found["new"] == UserSums(
        users=2, rewards=1.0, exposures=3.0, rewards_squared=1.0, exposures_squared=5.0, products=2.0
    )
    assert (found["old"].users, found["old"].rewards, found["old"].exposures) == (1, 4.0, 1.0)


def test_a_reader_reads_again_when_there_is_another_lake(settings: Settings) -> None:
    read = RewardReader()
    assert read(settings, NOON) == {}
    lake_of(Path(settings.home), EVENTS_OF_TWO)
    assert read(settings, NOON)["new"].exposures == 3
    lake_of(Path(settings.home), EVENTS_OF_TWO[:1], version="v2")
    assert read(settings, NOON)["new"].exposures == 1


def test_there_are_none_without_a_lake_its_column_or_anything_since(settings: Settings) -> None:
    assert summed(settings) == {}
    lake_of(Path(settings.home), EVENTS_OF_TWO)
    assert summed(settings, datetime(2026, 11, 2, 13, 0, tzinfo=UTC)) == {}
    lake_of(Path(settings.home), EVENTS_OF_TWO, EVENTS, version="v2")
    assert summed(settings) == {}


def log_of(settings: Settings, topic: str, *records: dict[str, Any]) -> None:
    log = FileLog(log_folder(settings, topic), segment_bytes=1 << 20, segment_seconds=1e6)
    log.append([json.dumps(record).encode() for record in records])
    log.seal()


def slate(user: str | None, request: str, bundle: str, *items: str, at: datetime = NOON) -> dict[str, Any]:
    shown = [{"item_id": item, "position": n, "score": 1.0, "propensity": 1.0} for n, item in enumerate(items, 1)]
    stamp = at.isoformat(timespec="microseconds")
    return {"request_id": request, "served_at": stamp, "user_id": user, "bundle": bundle, "items": shown}


def logged(number: int, user: str, kind: str, item: str, request: str | None) -> dict[str, Any]:
    at = (NOON + timedelta(minutes=number)).isoformat(timespec="microseconds")
    event = {"event_id": f"l{number}", "user_id": user, "item_id": item, "event_type": kind, "request_id": request}
    return event | {"event_timestamp": at, "known_timestamp": at}


def test_rewards_are_known_before_an_ingest_and_stay_the_same_after_the_collection(settings: Settings) -> None:
    log_of(settings, "slates", slate("u", "r1", "new", "i", "j"), slate(None, "r2", "new", "i"))
    log_of(settings, "slates", slate("w", "r3", "old", "i"), slate("w", "r0", "old", "i", at=EARLY))
    read = RewardReader()
    before = read(settings, NOON)
    assert (before["new"].exposures, before["new"].rewards, before["old"].exposures) == (2.0, 0.0, 1.0)
    log_of(settings, "events", logged(1, "u", "like", "i", "r1"), logged(2, "u", "hide", "j", None))
    log_of(settings, "events", logged(3, "w", "like", "i", None), logged(3, "w", "like", "i", None))
    found = read(settings, NOON)
    assert found["new"] == UserSums(
        users=1, rewards=1.0, exposures=2.0, rewards_squared=1.0, exposures_squared=4.0, products=2.0
    )
    assert (found["old"].rewards, found["old"].exposures) == (2.0, 1.0)
    assert collect(settings).files == 2
    assert read(settings, NOON) == found == summed(settings)
    assert summed(settings, NOON + timedelta(hours=1)) == {}


def rewards(users: int, clicked: float) -> UserSums:
    """Users who each saw ten items, of whom a share clicked one."""
    clicks = users * clicked
    seen = 10.0 * users
    return UserSums(
        users=users,
        rewards=clicks,
        exposures=seen,
        rewards_squared=clicks,
        exposures_squared=10 * seen,
        products=10 * clicks,
    )


@pytest.mark.parametrize(("clicked", "status"), [(0.3, Status.ROLLED_BACK), (0.5, Status.DONE)])
def test_a_canary_that_loses_rewards_is_rolled_back(world: World, clicked: float, status: Status) -> None:
    def read(settings: Settings, since: datetime) -> dict[str, UserSums]:
        return {world.candidate: rewards(2_000, clicked), world.production: rewards(20_000, 0.5)}

    begun(world, "canary:25%:10s,full")
    ended = driven(world, controller(world, outcomes=read))
    assert ended.status is status
    if status is Status.ROLLED_BACK:
        assert "rewards: candidate 0.03 an exposure" in str(ended.journal[-2].why)
