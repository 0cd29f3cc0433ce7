"""A user who asks again within seconds is answered as the store would, and the store is asked once."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from remora.core.errors import NotReady
from remora.features.cached_users import CachedUsers
from remora.pipeline import Query

HOURS = 10_000.0


def query(user: str | None, request: str = "r") -> Query:
    return Query(request_id=request, surface="home_feed", n=1, instant=datetime(2026, 1, 1, tzinfo=UTC), user_id=user)


class Store:
    """Knows users whose names begin with k, by how often it was asked."""

    def __init__(self) -> None:
        self.asked, self.out = 0, False

    def hydrate(self, query: Query) -> Query:
        self.asked += 1
        if self.out:
            raise NotReady("out")
        if not str(query.user_id).startswith("k"):
            return query
        rows = np.array([self.asked], np.int32)
        return replace(query, user_found=True, history=rows, seen=rows, user={"user_profile__age": self.asked})


def test_the_second_answer_is_the_first_in_another_request() -> None:
    store = Store()
    users = CachedUsers(store, max_size=10, ttl_seconds=HOURS)
    first, again = users.hydrate(query("k1")), users.hydrate(query("k1", "other"))
    assert store.asked == 1
    assert (again.request_id, again.user_found, again.user) == ("other", True, first.user)
    assert again.history.tolist() == first.history.tolist() == again.seen.tolist()
    assert users.hydrate(query("k2")).history.tolist() == [2]


def test_without_seconds_the_store_is_asked_every_time() -> None:
    users = CachedUsers(store := Store(), max_size=10, ttl_seconds=0)
    assert [users.hydrate(query("k1")).history.tolist() for _ in range(3)] == [[1], [2], [3]]
    assert store.asked == 3


@pytest.mark.parametrize(("user", "asked"), [("stranger", 3), (None, 0)])
def test_an_unknown_user_is_asked_for_every_time_and_no_user_never(user: str | None, asked: int) -> None:
    users = CachedUsers(store := Store(), max_size=10, ttl_seconds=HOURS)
    assert not any(users.hydrate(query(user)).user_found for _ in range(3))
    assert store.asked == asked


def test_what_a_query_says_of_itself_is_kept_for_no_other() -> None:
    users = CachedUsers(Store(), max_size=10, ttl_seconds=HOURS)
    known = replace(query("stranger"), user_found=True, history=np.array([7], np.int32))
    assert users.hydrate(known) is known
    assert not users.hydrate(query("stranger")).user_found


def test_it_answers_while_the_store_is_out() -> None:
    users = CachedUsers(store := Store(), max_size=10, ttl_seconds=HOURS)
    users.hydrate(query("k1"))
    store.out = True
    assert users.hydrate(query("k1")).user_found
    with pytest.raises(NotReady):
        users.hydrate(query("k2"))
