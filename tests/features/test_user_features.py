"""The user of a request is a stage: what the store knows, and the codes of what it does not."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest
from tests.serving import small_shop

from remora.features.hydrators.user_features import USER_STORE, USER_UNKNOWN, UserFeatures
from remora.pipeline import Degradation, PipelineState, Query
from remora.surfaces.build import pipeline_of
from remora.testing.stages import HydratorContract, some_query


class TestTheContract(HydratorContract):
    @pytest.fixture
    def stage(self) -> UserFeatures:
        return UserFeatures(users=small_shop.regulars())

    @pytest.fixture
    def query(self) -> Query:
        return some_query(user_id="u3", exclude=np.array([7], np.int32))


def hydrated(user: str | None, closed: bool = False) -> PipelineState:
    context = replace(small_shop.context(small_shop.settings()), users=small_shop.regulars(closed))
    query = Query(request_id="r", surface="home_feed", n=3, instant=small_shop.INSTANT, user_id=user)
    return pipeline_of(context, "home_feed").hydrate(query)


def test_a_user_of_the_store_is_found() -> None:
    state = hydrated("u3")
    assert (state.query.user_found, len(state.query.history), state.degraded) == (True, 4, ())
    assert state.timings_ms.keys() == {"user"}


def test_an_unknown_user_and_a_store_that_is_out_are_told_apart() -> None:
    assert hydrated("nobody").degraded == (
        f"{USER_UNKNOWN}: nothing is known of 'nobody', so the slate is not personal",
    )
    assert hydrated("u3", closed=True).degraded == (f"{USER_STORE}: the online store does not answer",)


def test_an_anonymous_visitor_is_not_looked_up() -> None:
    assert hydrated(None, closed=True).degraded == ()


def test_without_a_store_the_stage_is_left_out() -> None:
    context = small_shop.context(small_shop.settings())
    assert UserFeatures.from_config(context.settings.surfaces["home_feed"].hydrators["user"].config, context) is None
    assert not pipeline_of(context, "home_feed").hydrators


def test_a_reason_with_a_code_crosses_process_borders() -> None:
    reason = pickle.loads(pickle.dumps(Degradation("user_store", "it is out")))
    assert (reason.code, str(reason)) == ("user_store", "it is out")


@pytest.mark.parametrize("surface", ["home_feed", "similar_items", "shelf"])
def test_every_surface_knows_the_user_unless_null_takes_the_hydrator_away(surface: str) -> None:
    def hydrators(**own: object) -> list[str]:
        values = {**small_shop.settings().model_dump(), "surfaces": {surface: {"backfill": "popular", **own}}}
        return list(type(small_shop.settings()).model_validate(values).surfaces[surface].live("hydrators"))

    assert hydrators() == ["user"]
    assert hydrators(pipeline="remora.surfaces.popular_fallback:popular_fallback") == ["user"]
    assert hydrators(hydrators={"user": None}) == []
