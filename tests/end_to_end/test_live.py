"""A sent event changes what its user is shown next, through the whole app."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import httpx
import pytest
from tests.shops import Shop

from remora.serving.app import assemble
from remora.serving.bundle_loader import BundleLoader

PATIENCE_SECONDS = 60.0


@pytest.fixture(scope="module")
def endpoint(shop: Shop, serve_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    from ray import serve

    folder = str(tmp_path_factory.mktemp("log"))
    events = shop.settings.events.model_copy(update={"folder": folder})
    loader = BundleLoader.named(shop.settings.model_copy(update={"events": events}), "production")
    serve.run(assemble(loader, "fused"), name="live", route_prefix="/live")
    yield f"{serve_url}/live"
    serve.delete("live")


def slate(endpoint: str, user: str) -> tuple[list[str], list[str]]:
    """Items, and the codes of what was degraded."""
    answer = httpx.post(f"{endpoint}/v1/recommend", json={"user_id": user, "n": 8}, timeout=60).json()
    return [item["item_id"] for item in answer["items"]], [one.partition(":")[0] for one in answer["degraded"]]


def send(endpoint: str, user: str, item: str, kind: str) -> None:
    event = {"user_id": user, "item_id": item, "event_type": kind}
    answer = httpx.post(f"{endpoint}/v1/events", json={"events": [event]}, timeout=60)
    assert answer.json()["verdicts"][0]["verdict"] == "accepted", answer.text


def until(holds: Callable[[], bool]) -> None:
    """Ask again until it holds; the state follows the log by itself."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < end, "the live state did not follow"


def test_what_a_user_did_is_in_the_next_slate(shop: Shop, endpoint: str) -> None:
    kind = shop.settings.data.positive_types[0]
    first, _ = slate(endpoint, "u25")
    send(endpoint, "u25", first[0], kind)
    until(lambda: first[0] not in slate(endpoint, "u25")[0])
    second, degraded = slate(endpoint, "u25")
    assert (len(second), degraded) == (8, [])
    assert second != first[1:]


def test_a_user_that_was_never_seen_is_known_after_an_event(shop: Shop, endpoint: str) -> None:
    kind = shop.settings.data.positive_types[0]
    first, degraded = slate(endpoint, "a stranger")
    assert degraded == ["user_unknown"]
    send(endpoint, "a stranger", first[0], kind)
    until(lambda: slate(endpoint, "a stranger")[1] == [])
    assert first[0] not in slate(endpoint, "a stranger")[0]
