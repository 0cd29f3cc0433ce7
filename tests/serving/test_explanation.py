"""Every cause that keeps an item off a slate is named, one planted per stage and rule."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from tests.serving.small_shop import N_ITEMS, UNAVAILABLE, USERS, SmallShop, regulars
from tests.serving.test_routes import Front, Stuck, asking, assert_problem

from remora.cli.explain import render
from remora.core.errors import NotReady
from remora.pipeline import Candidates, Mask, Query
from remora.pipeline.runner import named
from remora.serving.explanation import Explanation, explain
from remora.serving.loaded_bundle import LoadedBundle
from remora.serving.requests import RequestContext, item_row, to_query
from remora.serving.schemas import SEED, RecommendRequest

SHOP = SmallShop()
LOADED = SHOP.load()
Ask = Callable[..., httpx.Response]


def query_of(loaded: LoadedBundle = LOADED, **request: Any) -> Query:
    asked = RecommendRequest(**{"user_id": "u5", "n": 10} | request)
    return to_query(loaded, asked, RequestContext("why"), SHOP.settings.serving)


def asked(item: str, loaded: LoadedBundle = LOADED, **request: Any) -> Explanation:
    return explain(loaded, query_of(loaded, **request), item_row(loaded, item))


def ids(rows: Any) -> list[str]:
    return [f"i{row:02}" for row in rows]


@given(user=st.sampled_from((*USERS, "nobody")), n=st.integers(1, 60), exclude=st.sets(st.integers(0, N_ITEMS - 1)))
def test_an_item_is_shown_exactly_where_the_slate_has_it(user: str, n: int, exclude: set[int]) -> None:
    request = {"user_id": user, "n": n, "exclude": ids(sorted(exclude))}
    query = query_of(**request)
    slate = LOADED.run(query).candidates.rows.tolist()
    for row in (*slate[:3], *(r for r in (0, 7, 30, 59) if r not in slate)):
        found = asked(f"i{row:02}", **request)
        assert found.shown == (row in slate)
        if found.shown:
            assert found.rank == slate.index(row) + 1
            assert found.sources
            assert found.removed_by is None
        else:
            assert found.removed_by is not None or (found.rank or 0) > n


class TestACause:
    def test_is_an_item_that_was_seen_though_no_source_offers_it(self) -> None:
        seen = asked(ids(regulars().histories["u5"])[0])
        assert (seen.shown, seen.removed_by, seen.sources) == (False, "seen_items", ())

    @pytest.mark.parametrize("row", [row for row in UNAVAILABLE if row not in regulars().histories["u5"]])
    def test_is_an_item_that_cannot_be_had(self, row: int) -> None:
        assert asked(f"i{row:02}").removed_by == "unavailable_items"

    def test_is_an_item_that_the_request_excludes(self) -> None:
        slate = LOADED.run(query_of())
        best = ids(slate.candidates.rows)[0]
        excluded = asked(best, exclude=[best])
        assert excluded.removed_by == "exclude"
        assert excluded.sources

    def test_is_the_seed_itself(self) -> None:
        assert asked("i20", surface="similar_items", context={SEED: "i20"}).removed_by == "seed_item"

    def test_is_a_source_whose_limit_ends_above_the_item(self) -> None:
        missed = [found for row in range(N_ITEMS) if (found := asked(f"i{row:02}")).removed_by == "retrieval"]
        assert missed
        limit = SHOP.settings.surfaces["home_feed"].sources["nearest_items"].config.limit
        for found in missed:
            ranks = {one.source: one.rank for one in found.below_limit_in}
            assert ranks["nearest_items"] > limit
            assert not found.sources

    def test_is_a_place_behind_those_that_are_asked_for(self) -> None:
        query = query_of(n=12)
        second = ids(LOADED.run(query).candidates.rows)[11]
        found = asked(second, n=1)
        assert (found.shown, found.removed_by) == (False, None)
        assert found.rank is not None
        assert found.rank > 1

    def test_is_a_reranker_that_moved_the_item(self) -> None:
        query = query_of(n=20)
        found = [asked(item, n=20) for item in ids(LOADED.run(query).candidates.rows)]
        assert any(one.rank != one.rank_before_reranking for one in found)
        assert sorted(one.rank or 0 for one in found) == list(range(1, 21))

    def test_is_a_rule_of_a_surface_by_its_name(self) -> None:
        feed = LOADED.surfaces["home_feed"]
        loaded = replace(LOADED, surfaces={"home_feed": replace(feed, filters={**feed.filters, **named(OddRows())})})
        assert asked("i31", loaded, user_id="nobody").removed_by == "odd_rows"
        assert asked("i30", loaded, user_id="nobody").removed_by != "odd_rows"

    def test_is_no_rule_that_was_not_ready_and_that_is_said(self) -> None:
        feed = LOADED.surfaces["home_feed"]
        loaded = replace(LOADED, surfaces={"home_feed": replace(feed, filters=named(OddRows(closed=True)))})
        found = asked("i31", loaded)
        assert found.removed_by in {None, "retrieval"}
        assert found.degraded == ("odd_rows: the rules are not loaded",)


@dataclass(frozen=True)
class OddRows:
    closed: bool = False

    def allowed(self, query: Query, candidates: Candidates) -> Mask:
        if self.closed:
            raise NotReady("the rules are not loaded")
        return np.asarray(candidates.rows % 2 == 0)


class TestOverHttp:
    def test_it_says_the_same(self) -> None:
        ask = asking(Front(SHOP))
        parameters = {"n": 3, "seed_item_id": "i20", "exclude": ["i21", "i22"]}
        for item in ("i21", "i25", "i20", "i07"):
            answer = ask("GET", f"/v1/explain/u5/{item}", params=parameters)
            assert answer.status_code == 200
            same = asked(item, n=3, surface="similar_items", context={SEED: "i20"}, exclude=["i21", "i22"])
            assert Explanation.model_validate(answer.json()) == same

    def test_a_visitor_whose_segment_the_context_names_is_explained_by_the_request_that_was_served(self) -> None:
        ask, body = asking(Front(SHOP)), {"user_id": None, "n": 60, "context": {"country": "at"}}
        served = {item["item_id"]: item for item in ask("POST", "/v1/recommend", json=body).json()["items"]}
        for item in ("i59", "i20"):
            found = Explanation.model_validate(ask("POST", "/v1/explain", json={**body, "item_id": item}).json())
            assert found.shown
            assert [one.source for one in found.sources] == [s for s in served[item]["sources"] if s != "backfill"]
            assert found.rank == served[item]["position"]
        assert "popular_in_segment" in served["i59"]["sources"]
        assert_problem(ask("POST", "/v1/explain", json=body), 422, "invalid-request", "/item_id")

    def test_an_unknown_item_or_surface_is_a_problem(self) -> None:
        ask = asking(Front(SHOP))
        assert_problem(ask("GET", "/v1/explain/u5/i99"), 404, "not-found", "'i99'")
        assert_problem(ask("GET", "/v1/explain/u5/i01?surface=checkout"), 422, "invalid-request", "home_feed")
        assert_problem(ask("GET", "/v1/explain/u5/i01?n=501"), 422, "invalid-request", "/n")

    def test_a_way_that_is_out_is_a_time_to_retry(self) -> None:
        ask = asking(Front(SHOP, Stuck(NotReady("the retriever is gone"))))
        assert_problem(ask("GET", "/v1/explain/u5/i01"), 503, "unavailable", "the retriever is gone")


def test_the_command_says_it_in_words() -> None:
    def said(found: Explanation) -> str:
        out = Console(width=200)
        with out.capture() as captured:
            render(out, found)
        return captured.get()

    shown = ids(LOADED.run(query_of(n=1)).candidates.rows)[0]
    assert "shown: rank 1 of" in said(asked(shown, n=1))
    assert "found by nearest_items: rank" in said(asked(shown, n=1))
    assert "not shown: removed by unavailable_items" in said(asked("i07"))
    missed = next(found for row in range(N_ITEMS) if (found := asked(f"i{row:02}")).removed_by == "retrieval")
    assert "no source found it" in said(missed)
    assert "below the limit of nearest_items" in said(missed)
