"""Every source keeps the contract: rows without repeats, best first, at most `limit`, empty when it knows nothing."""

from __future__ import annotations

import pickle
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
import torch

from remora.pipeline import Query, Retrieved
from remora.retrieval.content import Content
from remora.retrieval.encoder import UserEncoder
from remora.retrieval.index import ItemIndex
from remora.retrieval.neighbours import Neighbours
from remora.retrieval.sources.from_history import FromHistory
from remora.retrieval.sources.from_item import FromItem
from remora.retrieval.sources.nearest_items import NearestItems
from remora.retrieval.sources.newest import Newest
from remora.retrieval.sources.popular import Popular
from remora.retrieval.sources.repeats import Repeats
from remora.retrieval.sources.similar_vectors import SimilarVectors
from remora.retrieval.sources.trending import Trending
from remora.retrieval.towers import TowerSpec, UserTower
from remora.retrieval.two_tower import Towers
from remora.settings.components import HistoryEncoderChoice
from remora.testing.stages import SourceContract as StageContract

ITEMS, LIMIT = 40, 7


def vectors() -> np.ndarray:
    drawn = np.random.default_rng(1).normal(size=(ITEMS, 9)).astype(np.float32)
    drawn[:, :8] /= np.linalg.norm(drawn[:, :8], axis=1, keepdims=True)
    return drawn  # eight places of a unit vector, and the prior


def neighbours() -> Neighbours:
    """Each item goes with the ten items before it, the nearest best."""
    rows = np.concatenate([(np.arange(i - 1, i - 11, -1)) % ITEMS for i in range(ITEMS)]).astype(np.int32)
    return Neighbours(np.arange(ITEMS + 1) * 10, rows, np.tile(np.linspace(1, 0.1, 10), ITEMS).astype(np.float32))


def encoder() -> UserEncoder:
    torch.manual_seed(3)
    content = Content(tags={"gender": {"F": 1, "M": 2}}, numbers={"age": (40.0, 10.0)})
    spec = TowerSpec(
        dimension=8,
        history_length=5,
        encoder=HistoryEncoderChoice.model_validate("attention"),
        trained=ITEMS,
        item_content=content,
        user_content=content,
    )
    return UserEncoder(spec, UserTower(spec), torch.from_numpy(vectors()))


def towers() -> Towers:
    return Towers(encoder(), ItemIndex.build(vectors()))


def query(history: tuple[int, ...] = (), seen: tuple[int, ...] = (), item: int | None = None) -> Query:
    rows = np.array(history, np.int32)
    return Query(
        request_id="r",
        surface="home_feed",
        n=10,
        instant=datetime(2024, 1, 1, tzinfo=UTC),
        user_id="u",
        seed_item=item,
        user_found=bool(history),
        history=rows,
        seen=np.unique(np.append(rows, np.array(seen, np.int32))),
        user={"user_profile__age": 31, "user_profile__gender": "F"},
    )


class SourceContract:
    """Inherit, and give the source and a query that it can answer."""

    asked = query(history=(3, 8, 21), seen=(5, 6))
    ignorant: Query | None = query()

    def source(self):  # type: ignore[no-untyped-def]
        raise NotImplementedError

    def found(self) -> Retrieved:
        return self.source().find(self.asked)

    def test_rows_and_scores_have_the_types_of_the_contract(self) -> None:
        found = self.found()
        assert (found.rows.dtype, found.scores.dtype) == (np.int32, np.float32)
        assert found.rows.shape == found.scores.shape

    def test_it_finds_as_many_as_it_may_and_no_item_twice(self) -> None:
        found = self.found()
        assert len(found.rows) == LIMIT == len(np.unique(found.rows))

    def test_the_best_comes_first(self) -> None:
        assert (np.diff(self.found().scores) <= 0).all()

    def test_what_it_says_below_its_limit_is_no_better_than_what_it_found(self) -> None:
        found = self.found()
        if found.score_others is not None:
            np.testing.assert_allclose(found.score_others(found.rows), found.scores, atol=1e-6)
            others = np.setdiff1d(np.arange(ITEMS, dtype=np.int32), np.append(found.rows, self.asked.seen))
            said = found.score_others(others)
            assert said.shape == others.shape
            assert said.dtype == np.float32
            assert np.nanmax(said) <= found.scores[-1] + 1e-6

    def test_what_the_user_has_seen_takes_no_place(self) -> None:
        assert not np.isin(self.found().rows, self.asked.seen).any()

    def test_the_item_one_looks_at_is_not_found(self) -> None:
        assert self.asked.seed_item not in self.found().rows.tolist()

    def test_one_of_whom_nothing_is_known_gets_nothing(self) -> None:
        if self.ignorant is not None:
            assert len(self.source().find(self.ignorant).rows) == 0

    def test_it_pickles(self) -> None:
        found = pickle.loads(pickle.dumps(self.source())).find(self.asked)
        assert found.rows.tolist() == self.found().rows.tolist()


class TestNearestItems(SourceContract):
    def source(self) -> NearestItems:
        return NearestItems(model=towers(), limit=LIMIT)

    def test_it_finds_the_largest_cosines(self) -> None:
        scores = vectors() @ encoder().encode(self.asked)
        scores[self.asked.seen] = -np.inf
        assert self.found().rows.tolist() == np.argsort(-scores)[:LIMIT].tolist()

    def test_it_knows_what_it_thinks_of_every_item(self) -> None:
        score_others = self.found().score_others
        assert score_others is not None
        every = np.arange(ITEMS, dtype=np.int32)
        np.testing.assert_allclose(score_others(every), vectors() @ encoder().encode(self.asked), atol=1e-6)

    def test_the_same_history_and_profile_are_encoded_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        shared, runs, heard = encoder(), [], []
        real = shared.encode_many
        monkeypatch.setattr(shared, "encode_many", lambda *asked: runs.append(1) or real(*asked))
        shared.cache.listener = lambda name, found: heard.append((name, found))
        first, other = query(history=(3, 8, 21)), query(history=(1, 2))
        vectors_of = [shared.encode(asked) for asked in (first, first, other, first)]
        assert len(runs) == 2
        assert heard == [("vectors", False), ("vectors", False), ("vectors", True)]  # one a query
        np.testing.assert_array_equal(vectors_of[0], vectors_of[3])
        assert not np.array_equal(vectors_of[0], vectors_of[2])
        with pytest.raises(ValueError, match="read-only"):
            vectors_of[0][0] = 1.0

    def test_what_is_kept_is_what_would_be_computed(self) -> None:
        shared = encoder()
        for age in (31, 60, float("nan"), None):
            for history in ((3, 8, 21), (8, 3, 21), (1, 2, 3, 4, 5, 3, 8, 21)):
                for _ in range(2):
                    asked = replace(
                        query(history=history), user={"user_profile__age": age, "user_profile__gender": "F"}
                    )
                    np.testing.assert_array_equal(shared.encode(asked), encoder().encode(asked))
        assert len(shared.cache) == 9  # no age is no age; only the last five items of a history are read


class TestFromHistory(SourceContract):
    def source(self) -> FromHistory:
        return FromHistory(neighbours=neighbours(), limit=LIMIT)

    def test_later_items_count_more(self) -> None:
        found = FromHistory(neighbours=neighbours(), limit=1, seeds=2, decay=0.5).find(query(history=(30, 11)))
        assert found.rows.tolist() == [10]
        assert found.scores.tolist() == [1.0]

    def test_it_knows_the_sum_of_the_lists_of_every_item_and_nothing_of_the_others(self) -> None:
        found = FromHistory(neighbours=neighbours(), limit=1, seeds=2, decay=0.5).find(query(history=(30, 11)))
        assert found.score_others is not None
        said = found.score_others(np.arange(ITEMS, dtype=np.int32))
        expected = np.full(ITEMS, np.nan)
        for seed, weight in ((30, 0.5), (11, 1.0)):
            rows, scores = neighbours().of(seed)[:2]
            expected[rows] = np.nan_to_num(expected[rows]) + weight * scores
        np.testing.assert_allclose(said, expected, atol=1e-6)


class TestFromHistoryWithDecay(SourceContract):
    def source(self) -> FromHistory:
        return FromHistory(neighbours=neighbours(), limit=LIMIT, decay=0.8)

    def test_a_single_item_gives_its_own_list(self) -> None:
        found = FromHistory(neighbours=neighbours(), limit=LIMIT).find(query(history=(30,)))
        assert found.rows.tolist() == list(range(29, 22, -1))


class TestNewest(SourceContract):
    ignorant = None

    def source(self) -> Newest:
        age = np.arange(ITEMS, dtype=np.float32)
        age[::5] = np.nan
        new = np.arange(ITEMS) % 2 == 1
        return Newest(towers=towers(), new=new, age_days=age, limit=LIMIT)

    def test_it_finds_the_nearest_of_the_new_items(self) -> None:
        scores = vectors() @ encoder().encode(self.asked)
        scores[::2] = -np.inf
        scores[self.asked.seen] = -np.inf
        assert self.found().rows.tolist() == np.argsort(-scores)[:LIMIT].tolist()

    def test_one_of_whom_nothing_is_known_gets_the_youngest(self) -> None:
        assert self.source().find(query()).rows.tolist() == [1, 3, 7, 9, 11, 13, 17]


class TestFromItem(SourceContract):
    asked = query(item=20)

    def source(self) -> FromItem:
        return FromItem(neighbours=neighbours(), limit=LIMIT)


class TestSimilarVectors(SourceContract):
    asked = query(item=20)

    def source(self) -> SimilarVectors:
        return SimilarVectors(model=towers(), limit=LIMIT)

    def test_the_prior_has_no_say(self) -> None:
        cosines = vectors()[:, :8] @ vectors()[20, :8]
        cosines[20] = -np.inf
        assert self.found().rows.tolist() == np.argsort(-cosines)[:LIMIT].tolist()


class TestPopular(SourceContract):
    ignorant = None

    def source(self) -> Popular:
        return Popular(scores=np.arange(ITEMS, dtype=np.float32) % 10, limit=LIMIT)

    def test_its_pages_are_its_order_whoever_asks(self) -> None:
        source = self.source()
        pages = [source.page(self.asked, start, start + 13) for start in range(0, ITEMS + 13, 13)]
        assert np.concatenate([page.rows for page in pages]).tolist() == source.order.tolist()
        for page in pages:
            np.testing.assert_array_equal(page.scores, source.scores[page.rows])

    def test_without_a_limit_every_unseen_item_is_there(self) -> None:
        found = Popular(scores=np.ones(ITEMS, np.float32)).find(self.asked)
        assert found.rows.tolist() == [r for r in range(ITEMS) if r not in self.asked.seen]


class TestTrending(SourceContract):
    ignorant = None

    def source(self) -> Trending:
        scores = np.arange(ITEMS, dtype=np.float32)
        scores[::3] = np.nan
        return Trending(scores=scores, limit=LIMIT)

    def test_an_item_without_a_score_is_left_out(self) -> None:
        assert not (self.found().rows % 3 == 0).any()


@pytest.mark.parametrize("skip_seen", [True, False])
def test_a_surface_that_shows_seen_items_again_can_say_so(skip_seen: bool) -> None:
    asked = query(history=(39,))
    found = Popular(scores=np.arange(ITEMS, dtype=np.float32), limit=1, skip_seen=skip_seen).find(asked)
    assert found.rows.tolist() == [38 if skip_seen else 39]


class TestRepeats(StageContract):
    asked = query(history=(3, 8, 3, 21, 8, 3), seen=(5, 6))

    @pytest.fixture
    def stage(self) -> Repeats:
        return Repeats()

    @pytest.fixture
    def query(self) -> Query:
        return self.asked

    def test_what_had_many_and_late_positive_events_comes_first(self) -> None:
        found = Repeats(decay=0.5).find(self.asked)
        assert found.rows.tolist() == [3, 8, 21]
        assert found.scores.tolist() == [1 + 1 / 8 + 1 / 32, 1 / 2 + 1 / 16, 1 / 4]

    def test_a_visitor_without_a_history_gets_nothing(self) -> None:
        assert len(Repeats().find(query()).rows) == 0
