"""A store of users that is out is left alone, and asked again."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remora.core.errors import NotReady
from remora.features.circuit_breaker_users import CircuitBreakerUsers
from remora.pipeline import Query

QUERY = Query(request_id="r", surface="home_feed", n=1, instant=datetime(2026, 1, 1, tzinfo=UTC), user_id="u")
HOURS = 10_000.0


class Store:
    """Answers or fails as it is told, one outcome a call."""

    def __init__(self, outcomes: Iterable[Exception | None]) -> None:
        self.outcomes, self.asked = iter(outcomes), 0

    def hydrate(self, query: Query) -> Query:
        self.asked += 1
        if (error := next(self.outcomes)) is not None:
            raise error
        return replace(query, user_found=True)


def known(users: CircuitBreakerUsers) -> bool:
    try:
        return users.hydrate(QUERY).user_found
    except NotReady:
        return False


@given(st.lists(st.booleans(), max_size=30), st.integers(1, 4))
def test_it_is_asked_until_it_was_out_so_often_in_a_row(answers: list[bool], failures: int) -> None:
    store = Store(None if answer else NotReady("out") for answer in answers)
    users = CircuitBreakerUsers(store, failures=failures, seconds=HOURS)
    in_a_row, open_since = 0, None
    for place, answer in enumerate(answers):
        assert known(users) == (answer and open_since is None)
        if open_since is None:
            in_a_row = 0 if answer else in_a_row + 1
            open_since = place if in_a_row == failures else None
    assert store.asked == (len(answers) if open_since is None else open_since + 1)


def test_the_reason_says_how_often_and_for_how_long() -> None:
    users = CircuitBreakerUsers(Store([NotReady("refused")] * 2), failures=2, seconds=HOURS)
    for _ in range(2):
        with pytest.raises(NotReady, match="refused"):
            users.hydrate(QUERY)
    with pytest.raises(NotReady, match="out 2 times in a row and is left alone for 10000 s"):
        users.hydrate(QUERY)


def test_when_the_time_is_over_one_request_tries_and_an_answer_closes_the_circuit() -> None:
    store = Store([NotReady("out"), NotReady("still out"), None, NotReady("again"), None])
    users = CircuitBreakerUsers(store, failures=1, seconds=0.0)
    assert [known(users) for _ in range(5)] == [False, False, True, False, True]
    assert store.asked == 5


def test_a_bug_is_passed_on_and_is_no_outage() -> None:
    store = Store([NotReady("out"), ZeroDivisionError(), NotReady("out"), None])
    users = CircuitBreakerUsers(store, failures=2, seconds=HOURS)
    assert not known(users)
    with pytest.raises(ZeroDivisionError):
        users.hydrate(QUERY)
    assert [known(users), known(users)] == [False, True]


def test_a_thread_finds_out_for_itself() -> None:
    users = CircuitBreakerUsers(Store([NotReady("out"), None]), failures=1, seconds=HOURS)
    assert not known(users)
    with ThreadPoolExecutor(1) as other:
        assert other.submit(known, users).result()
    assert not known(users)
