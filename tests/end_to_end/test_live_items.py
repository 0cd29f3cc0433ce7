"""An item that is sent is in slates by its content, and one that is deleted in none, through the whole app."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import httpx
import numpy as np
import pytest
from tests.shops import Shop

from remora.events.entity_update import EntityUpdate
from remora.events.from_settings import log_of
from remora.pipeline import Query
from remora.serving.app import assemble
from remora.serving.bundle_loader import BundleLoader
from remora.serving.explanation import explain
from remora.serving.loaded_bundle import LoadedBundle
from remora.settings import Settings

USER = "u25"
PATIENCE_SECONDS = 60.0


@pytest.fixture(scope="module")
def loaded(shop: Shop) -> LoadedBundle:
    loader = BundleLoader.named(shop.settings, "production")
    return LoadedBundle.load(loader, loader.bundle)


def asked(loaded: LoadedBundle, surface: str = "home_feed", n: int = 20, **changes: Any) -> Query:
    named = {"request_id": "r", "surface": surface, "n": n, "instant": loaded.context.instant(), "user_id": USER}
    return Query(**(named | changes))


def columns_of(loaded: LoadedBundle, row: int) -> dict[str, Any]:
    """What the source has of an item."""
    snapshot = loaded.context.snapshot
    shelf = snapshot.column("item_profile__shelf")[row]
    price = float(snapshot.column("item_profile__price")[row])
    return {"title": snapshot.titles[row], "shelf": shelf, "price": price, "on_sale": True}


def update(id: str, columns: Mapping[str, Any] | None) -> EntityUpdate:
    return EntityUpdate(kind="items", id=id, instant=datetime.now(UTC), columns=columns)


def ids_of(loaded: LoadedBundle, query: Query) -> list[str]:
    return loaded.context.vocabulary.to_ids(loaded.run(query).candidates.rows)


def liked(loaded: LoadedBundle) -> int:
    history = loaded.surfaces["home_feed"].hydrate(asked(loaded)).query.history
    return int(history[-1])


def test_an_item_like_one_that_a_user_wanted_is_retrieved_ranked_and_explained(loaded: LoadedBundle) -> None:
    known, row = len(loaded.context.vocabulary), liked(loaded)
    live = loaded.with_items([update("new", columns_of(loaded, row))])
    explained = explain(live, asked(live), known)
    assert {"nearest_items", "newest"} <= {found.source for found in explained.sources}
    assert explained.removed_by is None
    assert explained.score is not None
    assert np.isfinite([one.prediction for one in explained.predictions]).all()
    assert "new" in ids_of(live, asked(live, n=known))
    for surface in ("home_feed", "next_up", "alike", "similar_items"):
        seed = row if loaded.context.settings.surfaces[surface].needs_item else None
        gone = live.with_items([update("new", None), update(loaded.context.vocabulary.id(3), None)])
        shown = ids_of(gone, asked(gone, surface, n=known, seed_item=seed))
        assert not {"new", loaded.context.vocabulary.id(3)} & set(shown)


def test_it_is_among_the_similar_items_of_its_like_and_has_similar_items_itself(loaded: LoadedBundle) -> None:
    known, row = len(loaded.context.vocabulary), liked(loaded)
    live = loaded.with_items([update("new", columns_of(loaded, row))])
    about = asked(live, "similar_items", seed_item=row, user_id=None, n=known)
    assert "new" in ids_of(live, about)
    ranks = {found.source: found.rank for found in explain(live, about, known).sources}
    assert ranks["similar_vectors"] <= known / 4, "of so many items, all of which have an identity besides"
    alike = live.run(asked(live, "similar_items", seed_item=known, user_id=None, n=5)).candidates
    assert known not in alike.rows
    assert [alike.found_by(place) for place in range(5)] == [("similar_vectors",)] * 5
    # Nothing was learned of it by a model that has no content: popular items fill up the slate.
    assert len(ids_of(live, asked(live, "alike", seed_item=known, user_id=None, n=5))) == 5


def test_a_live_item_in_a_history_counts_by_its_content(loaded: LoadedBundle) -> None:
    known, row = len(loaded.context.vocabulary), liked(loaded)
    live = loaded.with_items([update("new", columns_of(loaded, row))])

    def slate(history: list[int]) -> list[int]:
        rows = np.array(history, np.int32)
        own = {"user_id": None, "user_found": True, "history": rows, "seen": np.sort(rows), "n": 30}
        return live.run(asked(live, **own)).candidates.rows.tolist()

    assert slate([known]) != slate([])
    assert known not in slate([known])


def test_what_changes_of_an_item_is_in_the_next_slate(loaded: LoadedBundle) -> None:
    row = liked(loaded)
    id, columns = loaded.context.vocabulary.id(row), columns_of(loaded, row)
    changed = loaded.with_items([update(id, {**columns, "price": 7.0, "title": "Other", "shelf": "toys"})])
    snapshot = changed.context.snapshot
    assert (snapshot.column("item_profile__price")[row], snapshot.titles[row]) == (7.0, "Other")
    scorer: Any = changed.context.scorer
    read = scorer.item_columns(np.array([row, 0], np.int32))
    before = loaded.context.scorer.item_columns(np.array([row, 0], np.int32))  # type: ignore[union-attr]
    assert read["item_profile__price"][0] == 7.0
    assert read["item_profile__price"][1] == before["item_profile__price"][1]
    np.testing.assert_array_equal(read["item_activity__popularity"], before["item_activity__popularity"])
    unavailable = loaded.with_items([update(id, {**columns, "on_sale": False})])
    everything = asked(loaded, n=1_000, user_id=None)
    assert id in ids_of(loaded, everything)
    assert id not in ids_of(unavailable, everything)


@pytest.fixture(scope="module", params=["fused", "graph"])
def app(
    request: pytest.FixtureRequest, shop: Shop, serve_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Settings]]:
    from ray import serve

    folder, name = str(tmp_path_factory.mktemp("log")), f"items_{request.param}"
    events = shop.settings.events.model_copy(update={"folder": folder})
    chosen = shop.settings.model_copy(update={"events": events})
    serve.run(assemble(BundleLoader.named(chosen, "production"), request.param), name=name, route_prefix=f"/{name}")
    yield f"{serve_url}/{name}", chosen
    serve.delete(name)


def until(holds: Callable[[], bool]) -> None:
    """Ask again until it holds; replicas follow the log by themselves."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < end, "the replicas did not follow"


def test_the_app_shows_it_explains_it_and_shows_it_no_more(app: tuple[str, Settings], loaded: LoadedBundle) -> None:
    url, chosen = app
    log, row = log_of(chosen, "items"), liked(loaded)
    n, like = 500, loaded.context.vocabulary.id(row)

    patient: dict[str, Any] = {"timeout": 60, "headers": {"X-Request-Timeout-Ms": str(chosen.serving.max_timeout_ms)}}

    def shown() -> list[str]:
        """A slate that no stage is missing from: a fallback on a busy machine says nothing of what is followed."""
        body = {"user_id": USER, "n": n}
        for _ in range(100):
            response = httpx.post(f"{url}/v1/recommend", json=body, **patient)
            assert response.status_code in (200, 503), response.text
            if response.status_code == 200 and not (answer := response.json())["degraded"]:
                return [item["item_id"] for item in answer["items"]]
        raise AssertionError(response.text)

    def similar(id: str) -> httpx.Response:
        return httpx.get(f"{url}/v1/similar/{id}", params={"n": n}, **patient)

    assert "new" not in shown()
    assert similar("new").status_code == 404
    log.append([update("new", columns_of(loaded, row)).encode()])
    until(lambda: "new" in shown())
    until(lambda: "new" in [item["item_id"] for item in similar(like).json()["items"]])
    until(lambda: similar("new").status_code == 200)
    explained = httpx.post(f"{url}/v1/explain", json={"user_id": USER, "item_id": "new", "n": n}, **patient).json()
    assert explained["title"] == columns_of(loaded, row)["title"]
    log.append([update("new", None).encode(), update(shown()[0], None).encode()])
    first = shown()[0]
    until(lambda: "new" not in shown())
    until(lambda: similar("new").status_code == 404)
    log.append([update(first, None).encode()])
    until(lambda: first not in shown())
    log.seal()
