"""Faults are found in the slate itself, whatever let them through."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tests.serving import small_shop

from remora.core.errors import NotReady
from remora.pipeline import PipelineState, Query, Slate, StageContext
from remora.release.gates.evidence.slates import RAISED, answered, eligible, faults_of
from remora.surfaces.build import pipeline_of

Change = Callable[[Slate], Slate]


@pytest.fixture(scope="module")
def context() -> StageContext:
    """The shop, whose scorer can tell something of every item."""
    made = small_shop.context(small_shop.settings())
    return replace(made, scorer=Everything())


class Everything:
    """The later on the shelf, the better."""

    def score(self, query: Query, candidates: Any) -> np.ndarray:
        return candidates.rows.astype(np.float32)


def query(surface: str = "home_feed", n: int = 10) -> Query:
    history = np.array([20, 21, 22], np.int32)
    return Query(
        request_id="r",
        surface=surface,
        n=n,
        instant=small_shop.INSTANT,
        user_id="u",
        seed_item=30,
        user_found=True,
        history=history,
        seen=history,
    )


def kinds(context: StageContext, change: Change = lambda slate: slate, asked: Query | None = None) -> list[str]:
    asked = asked or query()
    pipeline = pipeline_of(context, asked.surface)
    return [kind for kind, _ in faults_of(change(pipeline.run(asked)), asked, pipeline, context)]


def with_rows(place: int, row: int) -> Change:
    def change(slate: Slate) -> Slate:
        rows = slate.candidates.rows.copy()
        rows[place] = row
        return replace(slate, candidates=replace(slate.candidates, rows=rows))

    return change


def with_score(value: float) -> Change:
    def change(slate: Slate) -> Slate:
        scores = slate.candidates.scores.copy()
        scores[3] = value
        return replace(slate, candidates=replace(slate.candidates, scores=scores))

    return change


@pytest.mark.parametrize("surface", ["home_feed", "similar_items"])
@pytest.mark.parametrize("n", [1, 10, 60])
def test_a_slate_of_the_shop_is_without_fault(context: StageContext, surface: str, n: int) -> None:
    assert kinds(context, asked=query(surface, n)) == []


@pytest.mark.parametrize("row", [20, 30, *small_shop.UNAVAILABLE])
def test_what_was_seen_is_asked_about_or_not_available_is_found(context: StageContext, row: int) -> None:
    assert kinds(context, with_rows(0, row)) == ["item that may not be shown"]


def test_a_repeated_item_is_found(context: StageContext) -> None:
    def repeated(slate: Slate) -> Slate:
        return with_rows(0, int(slate.candidates.rows[1]))(slate)

    assert kinds(context, repeated) == ["repeated item"]


def test_a_slate_that_is_short_while_more_could_be_shown_is_found(context: StageContext) -> None:
    assert kinds(context, lambda s: replace(s, candidates=s.candidates.take(np.arange(9)))) == ["length"]


def test_an_unscored_item_is_found_and_is_none_without_a_scorer(context: StageContext) -> None:
    assert kinds(context, with_score(np.nan)) == ["unscored item"]
    assert kinds(replace(context, scorer=None)) == []


def test_what_only_the_backfill_found_has_no_fused_rank(context: StageContext) -> None:
    assert kinds(context, asked=query("similar_items", n=60)) == []
    assert kinds(context, with_score(np.nan), query("similar_items")) == ["unscored item"]


def test_an_infinite_score_is_found(context: StageContext) -> None:
    assert kinds(context, with_score(np.inf)) == ["infinite score"]


def test_a_stage_that_was_skipped_is_found(context: StageContext) -> None:
    assert kinds(context, lambda slate: replace(slate, degraded=("trending: not ready",))) == ["degraded"]


def test_all_but_the_seen_the_unavailable_and_the_item_itself_may_be_shown(context: StageContext) -> None:
    may = eligible(query(), context)
    assert set(np.flatnonzero(~may)) == {20, 21, 22, 30, *small_shop.UNAVAILABLE}


class EvenRows:
    """A filter that is not of Remora; with a reason it is not ready."""

    def __init__(self, reason: str = "") -> None:
        self.reason = reason

    def allowed(self, query: Query, candidates: Any) -> np.ndarray:
        if self.reason:
            raise NotReady(self.reason)
        return candidates.rows % 2 == 0


def test_what_a_filter_of_another_package_hides_makes_no_slate_short_and_may_not_be_shown(
    context: StageContext,
) -> None:
    asked = query(n=60)
    pipeline = pipeline_of(context, asked.surface)
    strict = replace(pipeline, filters={**pipeline.filters, "even": EvenRows()})
    slate = strict.run(asked)
    assert 0 < len(slate.candidates) < 40
    assert list(faults_of(slate, asked, strict, context)) == []
    kinds = {kind for kind, _ in faults_of(pipeline.run(asked), asked, strict, context)}
    assert kinds == {"length", "item that may not be shown"}
    waiting = replace(pipeline, filters={**pipeline.filters, "even": EvenRows("it starts")})
    assert [kind for kind, _ in faults_of(waiting.run(asked), asked, waiting, context)] == ["degraded"]


@pytest.mark.parametrize("surface", ["home_feed", "similar_items"])
def test_a_slate_that_the_api_cannot_send_is_a_fault(context: StageContext, surface: str) -> None:
    unsendable = replace(context, snapshot=replace(context.snapshot))
    vars(unsendable.snapshot)["titles"] = [1984] * small_shop.N_ITEMS
    (fault,) = answered(pipeline_of(unsendable, surface), PipelineState(query=query(surface)), unsendable)
    assert fault[0] == RAISED
    assert "title" in fault[1]
    assert RAISED not in [
        kind for kind, _ in answered(pipeline_of(context, surface), PipelineState(query=query(surface)), context)
    ]
