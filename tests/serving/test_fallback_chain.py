"""What is shown without a slate in time: the user's last one, what the segment wants, popular items; and its code."""

from __future__ import annotations

from tests.serving.small_shop import INSTANT, UNAVAILABLE, SmallShop

from remora.pipeline import Query
from remora.serving.cached_slate import CachedSlate
from remora.serving.fallback_chain import CACHED_SLATE, POPULAR_FALLBACK, SOURCE_FALLBACK, FallbackChain

LOADED = SmallShop().load()


def query(user: str | None = "u3", n: int = 5, **context: str) -> Query:
    return Query(request_id="r", surface="home_feed", n=n, instant=INSTANT, user_id=user, context=context)


def chain(looked_up: list[tuple[str, bool]] | None = None) -> FallbackChain:
    seen = [] if looked_up is None else looked_up
    return FallbackChain(LOADED.popular_fallback, CachedSlate(10), looked_up=lambda *what: seen.append(what))


def test_the_user_s_last_slate_comes_first_filled_up_with_popular_items() -> None:
    looked_up: list[tuple[str, bool]] = []
    fallbacks, slate = chain(looked_up), LOADED.run(query())
    fallbacks.keep(query(), slate)
    found, code = fallbacks.slate(query(n=8), "gone")
    assert code == CACHED_SLATE
    assert found.candidates.rows[:5].tolist() == slate.candidates.rows.tolist()
    assert len(found.candidates) == 8
    assert found.degraded[0] == "cached_slate: gone"
    assert looked_up == [(CACHED_SLATE, True)]


def test_then_what_the_segment_wants_where_the_request_names_one() -> None:
    found, code = chain().slate(query(country="at"), "gone")
    assert code == SOURCE_FALLBACK.format("popular_in_segment")
    assert set(found.candidates.rows[:3].tolist()) == {59, 58, 57}


def test_then_popular_items_that_are_available_and_of_no_other_user_s_slate() -> None:
    looked_up: list[tuple[str, bool]] = []
    fallbacks = chain(looked_up)
    fallbacks.keep(query("u5"), LOADED.run(query("u5")))
    found, code = fallbacks.slate(query("u3", n=60), "no slate within 15 ms")
    assert (code, found.degraded[0]) == (POPULAR_FALLBACK, "popular_fallback: no slate within 15 ms")
    assert set(range(60)) - set(found.candidates.rows.tolist()) == set(UNAVAILABLE)
    assert looked_up == [(CACHED_SLATE, False)]


def test_a_degraded_slate_is_not_kept() -> None:
    fallbacks = chain()
    fallbacks.keep(query("nobody"), LOADED.run(query("nobody")))
    assert fallbacks.slate(query("nobody"), "gone")[1] == POPULAR_FALLBACK
