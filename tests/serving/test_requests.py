"""A request becomes a query by plain functions: its time in shares, its ids in rows, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.serving.small_shop import SmallShop, settings

from remora.core.errors import BadRequest, NotFound
from remora.serving.requests import RequestContext, item_row, to_query
from remora.serving.schemas import SEED, RecommendRequest

SHOP = SmallShop()
LOADED = SHOP.load()
LIMITS = settings(timeout_ms=150, max_timeout_ms=3_000, max_items=50).serving


@given(st.none() | st.floats(0.001, 1e7))
def test_the_caller_s_time_counts_up_to_the_server_s_limit_and_the_server_s_where_it_gives_none(
    timeout_ms: float | None,
) -> None:
    within = RequestContext("r", timeout_ms).within_ms(LIMITS)
    assert within == min(150 if timeout_ms is None else timeout_ms, 3_000)


def test_deadlines_are_shares_of_the_request_s_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("remora.pipeline.deadline.monotonic", lambda: 100.0)
    query = to_query(LOADED, RecommendRequest(user_id="u1"), RequestContext("r", 2_000.0), LIMITS)
    assert query.retrieval_deadline.at == 100.0 + 2.0 * LIMITS.retrieval_deadline_fraction
    assert query.ranking_deadline.at == 100.0 + 2.0 * LIMITS.ranking_deadline_fraction


def test_ids_are_rows_of_the_bundle_and_unknown_ones_in_exclude_are_ignored() -> None:
    request = RecommendRequest(
        user_id="u1", surface="similar_items", context={SEED: "i30"}, exclude=["i07", "nothing", "i09"]
    )
    query = to_query(LOADED, request, RequestContext("mine"), LIMITS)
    assert (query.request_id, query.user_id, query.seed_item) == ("mine", "u1", 30)
    assert query.exclude.tolist() == [7, 9]
    assert (query.user_found, len(query.history)) == (False, 0)


def test_what_is_refused_says_what_there_is() -> None:
    for request, error, says in (
        ({"n": 51}, BadRequest, "n is 51; this server gives at most 50 items"),
        ({"surface": "cart"}, BadRequest, "There is no surface 'cart'. There are: home_feed, similar_items"),
        ({"surface": "similar_items"}, BadRequest, "needs context.seed_item_id"),
        ({"context": {SEED: "i99"}}, NotFound, "i99"),
    ):
        with pytest.raises(error, match=says):
            to_query(LOADED, RecommendRequest(user_id="u1", **request), RequestContext("r"), LIMITS)  # type: ignore[arg-type]
    with pytest.raises(NotFound, match="The catalogue is that of bundle small"):
        item_row(LOADED, "nothing")
