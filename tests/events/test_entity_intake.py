"""An update that was answered holds over those answered before it, and what is not answered may be sent again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.events.memory import Memory

from remora.events.entity_contract import OF_TYPES, READERS, EntityContract, UnfitColumns
from remora.events.entity_intake import NOT_TAKEN, TAKEN, EntityIntake
from remora.events.entity_update import EntityUpdate
from remora.events.group_commit import NotTaken

NOW = datetime(2026, 12, 1, tzinfo=UTC)


@given(st.lists(st.integers(-100, 100), min_size=1, max_size=20))
def test_the_later_one_holds_whatever_the_clock_does(jumps: list[int]) -> None:
    log, times = Memory(), iter(jumps)
    intake = EntityIntake(log, "items", clock=lambda: NOW + timedelta(seconds=next(times)))
    answers = [intake.put("i", {"n": number}).result(timeout=20) for number in range(len(jumps))]
    intake.close()
    assert log.sealed
    for before, after in pairwise(answers):
        assert after.holds_over(before)
        assert not before.holds_over(after)
    assert [EntityUpdate.decode("items", record) for record in log.records] == answers


def test_what_comes_together_is_written_together_in_its_order() -> None:
    log = Memory()
    intake = EntityIntake(log, "items", clock=lambda: NOW)
    log.open.clear()
    sent = [intake.put("i", {"n": number}) for number in range(10)] + [intake.delete("i")]
    log.open.set()
    found = [one.result(timeout=20) for one in sent]
    intake.close()
    assert log.appends <= 3
    assert [one.columns for one in found] == [*({"n": number} for number in range(10)), None]
    assert sorted(found, key=lambda one: one.instant) == found


def test_on_a_full_disk_nothing_is_taken_and_it_may_be_sent_again() -> None:
    log, counts = Memory(), list[tuple[str, int]]()
    intake = EntityIntake(log, "users", counted=lambda result, count: counts.append((result, count)))
    log.full = True
    with pytest.raises(NotTaken, match=r"Users cannot be written now \(No space left on device\)"):
        intake.delete("u").result(timeout=20)
    log.full = False
    assert intake.delete("u").result(timeout=20).is_deleted
    intake.close()
    assert counts == [(NOT_TAKEN, 1), (TAKEN, 1)]
    with pytest.raises(NotTaken, match="about to stop"):
        intake.delete("u")


CONTRACT = EntityContract(kind="items", types={name: name for name in READERS})
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(), lambda one: st.lists(one, max_size=3)
)


@given(st.dictionaries(st.sampled_from([*READERS]), JSON))
def test_whatever_is_sent_is_taken_or_refused_with_its_name_and_what_is_taken_is_taken_again(sent: Any) -> None:
    refused: UnfitColumns | None = None
    found: dict[str, Any] = {}
    try:
        found = CONTRACT.accept(sent)
    except UnfitColumns as error:
        refused = error
    assert refused is None or (refused.mistakes.keys() <= sent.keys() and len(str(refused)) < 1_000)
    assert CONTRACT.accept(found) == found
    assert EntityUpdate.decode("items", encoded(found)).columns == found


def encoded(columns: dict[str, Any]) -> bytes:
    return EntityUpdate(kind="items", id="i", instant=NOW, columns=columns).encode()


def test_each_type_has_a_reader_and_a_schema() -> None:
    assert READERS.keys() == OF_TYPES.keys()
