"""Who is told that an event was taken can rely on it; who is told otherwise can send it again."""

from __future__ import annotations

import errno
import json
import threading
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.events.memory import Memory
from tests.events.test_contract import CONTRACT, NOW, event

from remora.events.group_commit import NotTaken
from remora.events.intake import ACCEPTED, DUPLICATE, NOT_TAKEN, QUARANTINED, Intake


@pytest.fixture
def log() -> Memory:
    return Memory()


@pytest.fixture
def intake(log: Memory) -> Any:
    found = Intake(log, CONTRACT, max_waiting=10, max_known=3, clock=lambda: NOW)
    yield found
    log.open.set()
    found.close()


def verdicts(intake: Intake, *events: Any) -> list[str]:
    return [found.verdict for found in intake.take(events).result(timeout=20)]


def test_each_event_has_its_verdict_and_what_is_refused_is_kept_with_its_reason(intake: Intake, log: Memory) -> None:
    found = intake.take([event(), event(event_type="sale"), event(event_id="f", value="x"), 7]).result(timeout=20)
    assert [one.verdict for one in found] == [ACCEPTED, QUARANTINED, QUARANTINED, QUARANTINED]
    assert [one.event_id for one in found] == ["e", "e", "f", ""]
    assert [one.reason for one in found][:2] == ["", "event_type is not declared"]
    kept = log.events
    assert kept[0]["event_id"] == "e"
    assert [record["reason"] for record in kept[1:]] == [one.reason for one in found[1:]]
    assert [json.loads(record["row"]) for record in kept[1:]] == [
        event(event_type="sale"), event(event_id="f", value="x"), 7,
    ]  # fmt: skip


def test_an_event_that_is_sent_again_is_a_duplicate_and_kept_once(intake: Intake, log: Memory) -> None:
    assert verdicts(intake, event(), event()) == [ACCEPTED, DUPLICATE]
    assert verdicts(intake, event(), event(event_id="f")) == [DUPLICATE, ACCEPTED]
    assert [record["event_id"] for record in log.events] == ["e", "f"]


def test_so_many_ids_are_remembered_and_no_more(intake: Intake) -> None:
    assert verdicts(intake, *(event(event_id=str(number)) for number in range(4))) == [ACCEPTED] * 4
    assert verdicts(intake, event(event_id="3"), event(event_id="1"), event(event_id="0")) == [
        DUPLICATE, DUPLICATE, ACCEPTED,
    ]  # fmt: skip


def test_what_comes_while_the_disk_writes_is_written_together(intake: Intake, log: Memory) -> None:
    log.open.clear()
    first = intake.take([event(event_id="first")])
    others = [intake.take([event(event_id=str(number))]) for number in range(8)]
    log.open.set()
    assert [f.result(timeout=20)[0].verdict for f in [first, *others]] == [ACCEPTED] * 9
    assert log.appends <= 3


def test_on_a_full_disk_nothing_is_taken_and_it_may_be_sent_again(intake: Intake, log: Memory) -> None:
    log.full = True
    with pytest.raises(NotTaken, match=r"cannot be written now \(No space left on device\)"):
        intake.take([event()]).result(timeout=20)
    log.full = False
    assert verdicts(intake, event()) == [ACCEPTED]


def test_what_would_wait_too_long_is_refused_at_once(intake: Intake, log: Memory) -> None:
    log.open.clear()
    begun = intake.take([event(event_id="first")])
    while intake._waiting:
        threading.Event().wait(0.001)
    waits = intake.take([event(event_id=str(number)) for number in range(6)])
    with pytest.raises(NotTaken, match="6 events wait to be written"):
        intake.take([event(event_id=str(number)) for number in range(10, 15)])
    log.open.set()
    assert len(begun.result(timeout=20)) + len(waits.result(timeout=20)) == 7


def test_at_the_end_what_waits_is_written_and_more_is_refused(log: Memory) -> None:
    ending = Intake(log, CONTRACT, clock=lambda: datetime.now(UTC))
    waits = [ending.take([event(event_id=str(number))]) for number in range(5)]
    ending.close()
    assert [f.result(timeout=0)[0].verdict for f in waits] == [ACCEPTED] * 5
    assert log.sealed
    with pytest.raises(NotTaken, match="about to stop"):
        ending.take([event()])


def test_a_bug_reaches_its_callers_and_those_after_them_are_served(log: Memory) -> None:
    times = iter([ZeroDivisionError(), NOW])

    def clock() -> datetime:
        found = next(times)
        if isinstance(found, Exception):
            raise found
        return found

    intake = Intake(log, CONTRACT, clock=clock)
    with pytest.raises(ZeroDivisionError):
        intake.take([event()]).result(timeout=20)
    assert verdicts(intake, event()) == [ACCEPTED]
    intake.close()


def test_what_became_of_events_is_counted(log: Memory) -> None:
    counts: Counter[str] = Counter()
    intake = Intake(log, CONTRACT, clock=lambda: NOW, counted=lambda verdict, count: counts.update({verdict: count}))
    verdicts(intake, event(), event(), event(event_type="sale"))
    log.full = True
    with pytest.raises(NotTaken):
        intake.take([event(event_id="f"), event(event_id="g")]).result(timeout=20)
    intake.close()
    assert counts == {ACCEPTED: 1, DUPLICATE: 1, QUARANTINED: 1, NOT_TAKEN: 2}


def test_a_caller_that_goes_away_in_time_takes_its_events_with_it_and_no_other(intake: Intake, log: Memory) -> None:
    log.open.clear()
    first = intake.take([event(event_id="first")])
    while intake._waiting:
        threading.Event().wait(0.001)
    gone, stays = intake.take([event(event_id="gone")]), intake.take([event(event_id="stays")])
    assert gone.cancel()
    assert not first.cancel()
    log.open.set()
    assert [one.verdict for one in first.result(timeout=20) + stays.result(timeout=20)] == [ACCEPTED] * 2
    assert [record["event_id"] for record in log.events] == ["first", "stays"]


def test_a_log_that_cannot_be_sealed_stops_nothing(log: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = threading.Event()

    def broken() -> None:
        tried.set()
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("remora.events.group_commit.IDLE_SECONDS", 0.001)
    monkeypatch.setattr(log, "seal_if_old", broken)
    monkeypatch.setattr(log, "seal", broken)
    intake = Intake(log, CONTRACT, clock=lambda: NOW)
    assert tried.wait(20)
    assert verdicts(intake, event()) == [ACCEPTED]
    intake.close()
