"""Items that are sent reach the slates of every surface, and those that are deleted reach none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.serving.small_shop import INSTANT, N_ITEMS, SmallShop, settings

from remora.control.traffic import Traffic
from remora.core.errors import NotReady
from remora.events.entity_states import EntityStates
from remora.events.entity_update import EntityUpdate
from remora.events.from_settings import log_of
from remora.pipeline import PipelineState, Query
from remora.serving.bundle_follower import BundleFollower
from remora.serving.cached_slate import CachedSlate
from remora.serving.explanation import explain
from remora.serving.fallback_chain import CACHED_SLATE, FallbackChain
from remora.serving.item_follower import ItemFollower
from remora.serving.loaded_bundle import ItemStates, LoadedBundle
from remora.serving.stage_request import StageRequest
from remora.settings import Settings

Columns = Mapping[str, Any] | None


def with_columns(chosen: Settings) -> Settings:
    """Settings that declare what the shop's snapshot has."""
    declared = {"title": "title", "available": "in_stock", "category": "shelf"}
    return chosen.model_copy(update={"data": chosen.data.model_copy(update=declared)})


SHOP = SmallShop(with_columns(settings()))
OPENED = SHOP.load()
SURFACES = tuple(OPENED.surfaces)

ids = st.one_of(st.integers(0, N_ITEMS - 1).map(lambda row: f"i{row:02}"), st.sampled_from(["a", "k", "z"]))
columns = st.one_of(st.none(), st.fixed_dictionaries({}, optional={"title": st.just("New"), "in_stock": st.booleans()}))
some_updates = st.lists(st.tuples(ids, columns), max_size=25)
rows = st.lists(st.integers(0, N_ITEMS + 5), unique=True, max_size=10)


def sent(*updates: tuple[str, Columns], after: float = 0.0) -> list[EntityUpdate]:
    """The last of each id, a second apart."""
    said = {
        id: EntityUpdate(kind="items", id=id, instant=INSTANT + timedelta(seconds=after + second), columns=one)
        for second, (id, one) in enumerate(updates)
    }
    return list(said.values())


def query(loaded: LoadedBundle, surface: str = "home_feed", named: Iterable[int] = (), n: int = 20) -> Query:
    """Of somebody who wanted what ``named`` means, as far as there is such an item, and looks at the first of it."""
    history = np.array([row for row in named if row < len(loaded.context.vocabulary)] or [1], np.int32)
    return Query(
        request_id="r",
        surface=surface,
        n=n,
        instant=INSTANT,
        seed_item=int(history[0]),
        user_found=True,
        history=history,
        seen=np.sort(history),
    )


def ids_of(loaded: LoadedBundle, slate: Any) -> list[str]:
    return loaded.context.vocabulary.to_ids(slate.candidates.rows)


@given(first=some_updates, second=some_updates, named=rows)
def test_no_surface_shows_what_is_deleted_or_not_available_and_base_rows_keep_their_ids(
    first: list[Any], second: list[Any], named: list[int]
) -> None:
    """The shop's models and its scorer know the bundle's own rows alone, and say nothing of live ones: an index
    beyond them would raise."""
    loaded = OPENED.with_items(sent(*first)).with_items(sent(*second, after=100))
    last = {**dict(first), **dict(second)}
    hidden = {id for id, said in last.items() if said is None or said.get("in_stock") is False}
    vocabulary = loaded.context.vocabulary
    assert vocabulary.to_ids(range(N_ITEMS)) == OPENED.context.vocabulary.ids.to_pylist()
    for surface in SURFACES:
        slate = loaded.run(query(loaded, surface, named, n=100))
        assert not hidden & set(ids_of(loaded, slate))
        whole = set(np.flatnonzero(loaded.context.snapshot.available)) - set(query(loaded, surface, named).seen)
        assert len(slate.candidates) == len(whole)
    fallback = loaded.popular_fallback.run(query(loaded, "home_feed", named, n=100))
    assert not hidden & set(ids_of(loaded, fallback))


@given(shared=some_updates, own=st.tuples(*[st.lists(st.sampled_from("abcdef"), unique=True)] * 4), named=rows)
def test_phases_with_other_new_items_take_no_row_for_another_item(
    shared: list[Any], own: tuple[list[str], ...], named: list[int]
) -> None:
    """A gateway and three phases, each with new items of its own beside what all know."""
    gateway, *phases = (OPENED.with_items(sent(*shared, *((id, {}) for id in late))) for late in own)
    gone = {id for id, said in dict(shared).items() if said is None} - set("abcdef")
    agree = all(phase.catalogue == gateway.catalogue for phase in phases)
    for surface in SURFACES:
        asked = query(gateway, surface, named, n=100)
        request = StageRequest(bundle="small", catalogue=gateway.catalogue, state=PipelineState(query=asked))
        retriever, filter, ranker = phases
        request, pipeline = step(request, retriever)
        request = passed(request, pipeline.retrieve(pipeline.hydrate(request.state.query)))
        request, pipeline = step(request, filter)
        request = passed(request, pipeline.filter(request.state))
        request, pipeline = step(request, ranker)
        slate = pipeline.rank(request.state)
        assert not gone & set(ids_of(gateway, slate))
        if agree:
            assert ids_of(gateway, slate) == ids_of(gateway, gateway.run(asked))
        else:
            assert (slate.candidates.rows < N_ITEMS).all()


def step(request: StageRequest, loaded: LoadedBundle) -> tuple[StageRequest, Any]:
    known = request.known_to(loaded)
    assert (known.state.candidates.rows < len(loaded.context.vocabulary)).all()
    return known, known.pipeline(loaded)


def passed(request: StageRequest, state: PipelineState) -> StageRequest:
    return StageRequest(bundle=request.bundle, catalogue=request.catalogue, state=state)


def test_what_was_shown_before_is_shown_in_a_fallback_without_what_was_deleted_since() -> None:
    cache, before = CachedSlate(10), OPENED.with_items(sent(("new", {})))
    asked = Query(request_id="r", surface="home_feed", n=5, instant=INSTANT, user_id="u3")
    slate = before.run(asked)
    FallbackChain(before.popular_fallback, cache).keep(asked, slate)
    shown = ids_of(before, slate)
    after = before.with_items(sent((shown[0], None), ("another", {}), after=9))
    found, code = FallbackChain(after.popular_fallback, cache).slate(asked, "late")
    assert code == CACHED_SLATE
    assert ids_of(after, found)[:4] == shown[1:]


def test_a_fallback_keeps_no_row_of_a_live_item() -> None:
    cache, loaded = CachedSlate(10), OPENED.with_items(sent(("new", {})))
    everything = loaded.run(Query(request_id="r", surface="home_feed", n=100, instant=INSTANT, user_id="u3"))
    assert N_ITEMS in everything.candidates.rows
    chain = FallbackChain(loaded.popular_fallback, cache)
    chain.keep(Query(request_id="r", surface="home_feed", n=100, instant=INSTANT, user_id="u3"), everything)
    kept = cache.find(Query(request_id="r", surface="home_feed", n=100, instant=INSTANT, user_id="u3")).rows
    assert kept.tolist() == [row for row in everything.candidates.rows.tolist() if row < N_ITEMS]
    about_it = Query(request_id="r", surface="home_feed", n=5, instant=INSTANT, user_id="u3", seed_item=N_ITEMS)
    chain.keep(about_it, everything)
    assert not len(cache.find(about_it).rows)


def test_why_a_deleted_item_is_not_shown_is_explained() -> None:
    loaded = OPENED.with_items(sent(("i05", None), ("new", {"title": "New"})))
    assert explain(loaded, query(loaded), 5).removed_by == "deleted"
    late = explain(loaded, query(loaded, n=100), N_ITEMS)
    assert (late.item_id, late.title, late.removed_by, late.score) == ("new", "New", None, None)


class Sender:
    """Sends items into the log that a follower reads."""

    def __init__(self, chosen: Settings) -> None:
        self.settings, self._log, self._sent = chosen, log_of(chosen, "items"), 0

    def send(self, id: str, columns: Columns) -> None:
        self._sent += 1
        instant = datetime(2026, 4, 1, tzinfo=UTC) + timedelta(seconds=self._sent)
        self._log.append([EntityUpdate(kind="items", id=id, instant=instant, columns=columns).encode()])

    def states(self) -> ItemStates:
        return EntityStates.open(self.settings, "items")


@pytest.fixture
def sender(tmp_path: Path) -> Sender:
    return Sender(with_columns(settings(str(tmp_path / "home"), log=str(tmp_path / "log"))))


def shows(bundles: BundleFollower, id: str) -> bool:
    loaded = bundles.active.production
    return id in ids_of(loaded, loaded.run(query(loaded, n=100)))


def test_a_follower_begins_with_what_was_sent_and_swaps_in_what_comes(sender: Sender) -> None:
    sender.send("early", {})
    sender.send("i05", None)
    bundles = BundleFollower(lambda: Traffic(production="one"), lambda bundle: OPENED)
    follower = ItemFollower(sender.states, bundles)
    assert follower.begin()
    assert (shows(bundles, "early"), shows(bundles, "i05"), shows(bundles, "late")) == (True, False, False)
    before = bundles.active
    sender.send("late", {})
    sender.send("early", None)
    follower.turn()
    assert (shows(bundles, "early"), shows(bundles, "i05"), shows(bundles, "late")) == (False, False, True)
    assert before.production.context.vocabulary.row("early") == N_ITEMS, "a request that has begun ends as it began"
    sender.send("i05", {})
    follower.turn()
    assert shows(bundles, "i05")
    assert follower.turn(0.0) == 0.0


def test_a_bundle_that_is_opened_later_has_the_same_items_and_tombstones(sender: Sender) -> None:
    traffic = Traffic(production="one")
    bundles = BundleFollower(lambda: traffic, lambda bundle: OPENED)
    follower = ItemFollower(sender.states, bundles)
    follower.begin()
    sender.send("new", {})
    sender.send("i05", None)
    follower.turn()
    traffic = Traffic(production="two", revision=1)
    bundles.refresh()
    assert bundles.active.traffic.production == "two"
    assert (shows(bundles, "new"), shows(bundles, "i05")) == (True, False)
    sender.send("new", None)
    follower.turn()
    assert not shows(bundles, "new")


def test_an_item_that_a_bundle_has_by_then_has_no_row_of_a_live_item(sender: Sender) -> None:
    sender.send("i05", {"title": "Renamed"})
    bundles = BundleFollower(lambda: Traffic(production="one"), lambda bundle: OPENED)
    ItemFollower(sender.states, bundles).begin()
    context = bundles.active.production.context
    assert (len(context.vocabulary), context.live_from, context.snapshot.titles[5]) == (N_ITEMS, None, "Renamed")


def test_while_the_log_is_out_what_serves_continues_and_nothing_is_lost(sender: Sender) -> None:
    class Flaky:
        """States whose log is out now and then."""

        out = True

        def open(self) -> ItemStates:
            if self.out:
                raise NotReady("the broker is out")
            return sender.states()

    flaky = Flaky()
    bundles = BundleFollower(lambda: Traffic(production="one"), lambda bundle: OPENED)
    follower = ItemFollower(flaky.open, bundles)
    assert follower.begin()
    assert not follower.stats.follows
    sender.send("new", {})
    flaky.out = False
    assert follower.turn() > 0
    assert shows(bundles, "new")


def test_a_bundle_whose_code_fails_with_new_items_holds_up_no_other(sender: Sender) -> None:
    class Fails(LoadedBundle):
        """Of a component that cannot be made again."""

        def with_items(self, updates: Iterable[EntityUpdate]) -> LoadedBundle:
            raise ValueError("no")

    broken = Fails(**{name: getattr(OPENED, name) for name in ("bundle", "context", "surfaces", "popular_fallback")})
    traffic = Traffic(production="one", previous="two")
    bundles = BundleFollower(lambda: traffic, lambda bundle: OPENED if bundle == "one" else broken)
    bundles.refresh()
    follower = ItemFollower(sender.states, bundles)
    sender.send("i05", None)
    follower.begin()
    assert not shows(bundles, "i05")
    assert not follower.stats.follows
    assert bundles.active.loaded["two"] is broken
    traffic = Traffic(production="one", previous="three", revision=1)
    bundles.refresh()
    assert "three" in bundles.load_errors, "it is refused like one that cannot be opened"
    traffic = Traffic(production="one", revision=2)
    bundles.refresh()
    sender.send("i06", None)
    follower.turn()
    assert not shows(bundles, "i06")


def test_a_loader_that_takes_no_events_is_not_followed() -> None:
    bundles = BundleFollower(lambda: Traffic(production="one"), lambda bundle: OPENED)
    assert not ItemFollower(SHOP.items, bundles).begin()


def test_of_too_many_new_items_the_last_are_served() -> None:
    few = SmallShop(with_columns(settings(max_live_items=2))).load()
    loaded = few.with_items(sent(("c", {}), ("b", {}), ("a", {}), ("i05", None)))
    assert loaded.context.vocabulary.ids.to_pylist()[N_ITEMS:] == ["a", "b"]
    assert loaded.context.deleted is not None
