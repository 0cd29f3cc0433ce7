"""Surfaces in settings: written over presets, read again as they were written, and checked where they are read."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.datasets.worlds import settings_for

from remora.settings import BundleSettings, Settings, SurfacesSettings
from remora.settings.presets import PRESETS

SOURCES = st.sampled_from(["nearest_items", "linear", "trending", "newest", "popular_in_segment", "fresh"])
ENTRIES = st.one_of(
    st.none(),
    st.builds(lambda n: {"type": "newest", "limit": n}, st.integers(1, 99)),
    st.builds(lambda n: {"type": "trending", "limit": n}, st.integers(1, 99)),
    st.just("trending"),
)
SURFACES = st.dictionaries(
    st.sampled_from(["home_feed", "checkout", "trending", "page"]),
    st.fixed_dictionaries(
        {"backfill": st.just("popular")},
        optional={
            "preset": st.sampled_from(sorted(PRESETS)),
            "hide_seen": st.booleans(),
            "sources": st.dictionaries(SOURCES, ENTRIES, max_size=4),
        },
    ),
    max_size=3,
)


def surfaces(**written: Any) -> SurfacesSettings:
    return SurfacesSettings.model_validate(written)


def refused(**written: Any) -> str:
    with pytest.raises(ValidationError) as raised:
        settings_for("/nowhere", **written)  # type: ignore[arg-type]
    return str(raised.value)


@given(SURFACES)
def test_what_was_read_is_read_again_from_what_is_written_of_it(written: dict[str, Any]) -> None:
    found = surfaces(**written)
    assert SurfacesSettings.model_validate(found.model_dump(mode="json")) == found


def test_a_preset_is_what_a_surface_begins_with_and_null_takes_away() -> None:
    found = surfaces(home_feed={"sources": {"newest": None, "trending": {"limit": 7}, "fresh": {"type": "newest"}}})
    feed = found["home_feed"]
    assert list(feed.live("sources")) == [
        *("nearest_items", "linear", "co_visited", "trending", "popular_in_segment", "fresh")
    ]
    assert feed.sources["trending"].config.limit == 7  # type: ignore[union-attr]
    assert feed.sources["linear"].config.model == "linear"  # type: ignore[union-attr]
    assert found.names == ("home_feed", "similar_items")
    assert surfaces(similar_items=None).names == ("home_feed",)


def test_any_number_of_surfaces_may_begin_with_one_preset() -> None:
    found = surfaces(cart={"preset": "frequently_bought_together"}, page={"preset": "frequently_bought_together"})
    assert found["cart"].needs_item
    assert found["cart"].live("sources") == found["page"].live("sources")


def test_what_the_user_wanted_before_is_a_source_where_it_may_be_shown() -> None:
    assert "repeats" in surfaces(home_feed={"hide_seen": False})["home_feed"].live("sources")
    assert "repeats" not in surfaces()["home_feed"].live("sources")


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_each_preset_is_a_surface(preset: str) -> None:
    assert surfaces(**{preset: {}})[preset].live("sources")


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ({"checkout": {}}, "checkout.*neither sources nor a backfill"),
        ({"home_feed": {"preset": "home"}}, "home_feed: there is no preset 'home'; there are because_you_watched"),
        ({"home_feed": {"sources": {"newst": {}}}}, "none is registered. Did you mean newest?"),
        ({"home_feed": {"sources": {"newest": {"limit": 0}}}}, "newest: limit: Input should be greater"),
        ({"home_feed": {"sources": {"seen_items": "trending"}}}, "two stages are called seen_items"),
        ({"home_feed": {"sources": {"merge": "trending"}}}, "'merge' is what the runner calls"),
        ({"home_feed": {"sources": {"A b": "trending"}}}, "'A b' is no name of a stage"),
        ({"Checkout!": {"backfill": "popular"}}, "'Checkout!' is no name of a surface"),
        ({"home_feed": None, "similar_items": None}, "every surface is taken away"),
        ({"home_feed": None}, "ranking.surface is 'home_feed'.*surfaces has: similar_items"),
        (
            {"home_feed": {"sources": {"linear": {"model": "ease"}}}},
            r"surfaces\.home_feed\.sources\.linear: it reads the model 'ease'.*there are: co_visitation, linear",
        ),
        (
            {"home_feed": {"scorer": {"weights": {"loved": 1.0}}}},
            r"surfaces\.home_feed\.scorer: it weighs 'loved', and the objectives are:",
        ),
        ({"home_feed": {"scorer": {"type": "unheard_of"}}}, "scorer 'unheard_of' cannot be used"),
    ],
)
def test_what_cannot_be_served_says_where_it_stands_and_what_to_do(written: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=f"(?s){says}"):
        settings_for("/nowhere", surfaces=written)  # type: ignore[arg-type]


def test_a_model_that_a_source_reads_cannot_be_taken_away_alone() -> None:
    assert "reads the model 'linear'" in refused(retrieval={"models": {"linear": None}})
    bare = {"home_feed": {"sources": {"linear": None}}}
    assert (
        "linear"
        not in settings_for("/nowhere", retrieval={"models": {"linear": None}}, surfaces=bare).retrieval.learned
    )  # type: ignore[arg-type]


def test_a_source_may_not_name_a_model_that_it_cannot_read() -> None:
    models = {"models": {"taste": {"type": "sequential"}}}
    lists = {"home_feed": {"sources": {"more": {"type": "from_history", "model": "taste"}}}}
    vectors = {"home_feed": {"sources": {"more": {"type": "nearest_items", "model": "linear"}}}}
    assert "'taste', which is no ItemLists; those there are: co_visitation, linear" in refused(
        retrieval=models, surfaces=lists
    )
    assert "'linear', which is no VectorModel; those there are: two_tower, taste" in refused(
        retrieval=models, surfaces=vectors
    )


def test_a_model_may_not_be_called_like_the_towers() -> None:
    assert "two_tower is what the towers are called" in refused(retrieval={"models": {"two_tower": "co_visitation"}})


def test_a_bundle_brings_its_surfaces_and_no_others_are_served_with_it() -> None:
    mine: Settings = settings_for("/nowhere", surfaces={"trending": {}})  # type: ignore[arg-type]
    theirs = BundleSettings.parse(BundleSettings.of(settings_for("/nowhere")).model_dump_json().encode(), "f")  # type: ignore[arg-type]
    assert mine.surfaces.names == ("home_feed", "similar_items", "trending")
    assert theirs.over(mine).surfaces.names == ("home_feed", "similar_items")
