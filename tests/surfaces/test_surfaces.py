"""What each surface shows, and how its settings change that."""

from __future__ import annotations

import numpy as np
from tests.serving.small_shop import INSTANT, N_ITEMS, UNAVAILABLE, context, regulars, settings

from remora.pipeline import Pipeline, Query
from remora.pipeline.runner import BACKFILL
from remora.settings import Settings
from remora.surfaces.build import pipeline_of
from remora.surfaces.popular_fallback import popular_fallback


def of(surface: str, **policies: object) -> Settings:
    return Settings(**{**settings().model_dump(), "surfaces": {surface: policies}})


def home_feed(of: Settings) -> Pipeline:
    return pipeline_of(context(of), "home_feed")


def similar_items(of: Settings) -> Pipeline:
    return pipeline_of(context(of), "similar_items")


def asked(user: str = "u9", n: int = N_ITEMS, item: int | None = None) -> Query:
    query = Query(request_id="r", surface="any", n=n, instant=INSTANT, user_id=user, seed_item=item)
    return regulars().hydrate(query)


def names(pipeline: Pipeline) -> list[list[str]]:
    return [list(stages) for stages in (pipeline.sources, pipeline.filters, pipeline.rerankers)]


class TestTheHomeFeed:
    def test_asks_these_stages_in_this_order(self) -> None:
        assert names(home_feed(settings())) == [
            ["nearest_items", "linear", "co_visited", "trending", "newest", "popular_in_segment"],
            ["seed_item", "seen_items", "unavailable_items"],
            ["category_diversity"],
        ]

    def test_has_a_quota_for_what_came_lately_and_may_be_shown(self) -> None:
        stock = context(settings())
        newest = home_feed(settings()).sources["newest"]
        for user in ("nobody", "u9"):
            found = newest.find(asked(user)).rows
            assert (stock.snapshot.age_days[found] <= 30).all()
            assert not set(found.tolist()) & set(UNAVAILABLE)
            assert 0 < len(found) <= 30

    def test_shows_everything_that_is_new_to_the_user_and_available(self) -> None:
        query = asked()
        shown = home_feed(settings()).run(query).candidates.rows
        assert set(shown.tolist()) == set(range(N_ITEMS)) - set(UNAVAILABLE) - set(query.seen.tolist())

    def test_shows_what_was_seen_where_the_settings_want_that(self) -> None:
        shown = home_feed(of("home_feed", hide_seen=False)).run(asked()).candidates.rows
        assert set(shown.tolist()) == set(range(N_ITEMS)) - set(UNAVAILABLE)

    def test_finds_the_users_positive_items_again_where_they_may_be_shown(self) -> None:
        query = asked()
        repeats = home_feed(of("home_feed", hide_seen=False)).sources["repeats"]
        assert len(query.history)
        assert set(repeats.find(query).rows.tolist()) == set(query.history.tolist())
        assert "repeats" not in names(home_feed(settings()))[0]

    def test_keeps_categories_apart_as_much_as_the_settings_want(self) -> None:
        def repeats(strength: float) -> int:
            spaced = of("home_feed", rerankers={"category_diversity": {"window": 4, "strength": strength}})
            shown = context(spaced).snapshot.categories[home_feed(spaced).run(asked(n=12)).candidates.rows, 0]
            return sum(int((shown[max(0, p - 3) : p] == shown[p]).sum()) for p in range(12))

        assert repeats(50.0) == 0 < repeats(0.0)


class TestSimilarItems:
    def test_are_those_that_both_sources_find_first(self) -> None:
        slate = similar_items(settings()).run(asked("nobody", n=5, item=20))
        assert slate.candidates.found_by(0) == ("similar_vectors", "co_visited_with")
        assert (np.diff(slate.candidates.scores) <= 0).all()

    def test_never_hold_the_seed(self) -> None:
        for seed in range(0, N_ITEMS, 7):
            assert seed not in similar_items(settings()).run(asked("nobody", item=seed)).candidates.rows

    def test_are_filled_up_with_popular_items_that_have_no_score(self) -> None:
        candidates = similar_items(settings()).run(asked("nobody", item=20)).candidates
        assert len(candidates) == N_ITEMS - len(UNAVAILABLE) - 1
        filled = [place for place in range(len(candidates)) if candidates.found_by(place) == (BACKFILL,)]
        assert filled == np.flatnonzero(np.isnan(candidates.scores)).tolist()


def test_the_popular_fallback_is_what_is_most_popular_and_available() -> None:
    stock = context(settings())
    shown = popular_fallback(stock).run(asked("nobody", n=12, item=3)).candidates.rows.tolist()
    eligible = [row for row in range(N_ITEMS) if row not in {3, *UNAVAILABLE}]
    assert shown == sorted(eligible, key=lambda row: (-stock.snapshot.popularity[row], row))[:12]
