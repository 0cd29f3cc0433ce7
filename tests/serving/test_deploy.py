"""Bringing the app up refuses what cannot work, and asking it tells what is wrong."""

from __future__ import annotations

import http.server
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.serving.small_shop import settings

from remora.control.replica_status import ReplicaStatus, ReplicaStatuses
from remora.control.traffic import Traffic, TrafficStore
from remora.core.errors import BadRequest, NotFound, NotReady, Refused
from remora.core.home import Home
from remora.serving import deploy
from remora.serving.client import ask
from remora.serving.schemas import RecommendRequest
from remora.wiring.ports import free_port


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working directory without a cluster of its own."""
    monkeypatch.chdir(tmp_path)


def test_a_port_of_another_program_is_refused_with_its_number(taken: int) -> None:
    with pytest.raises(Refused, match=f"Port {taken} of 127.0.0.1 is taken by another program"):
        deploy.check_port(settings(port=taken))
    with pytest.raises(Refused, match=rf"Port {taken} of 127\.0\.0\.1 .* set serving\.grpc_port"):
        deploy.check_port(settings(port=free_port(0), grpc_port=taken))


def test_a_port_that_is_free_is_accepted(free_port: int) -> None:
    deploy.check_port(settings(port=free_port))


def test_status_and_down_say_that_nothing_runs_without_starting_anything(elsewhere: None) -> None:
    standing = deploy.status(settings())
    assert not standing.running
    assert standing.message == "No Ray cluster of this checkout is running."
    assert deploy.stop(settings()) is False


def test_a_server_on_all_interfaces_is_asked_on_loopback() -> None:
    assert deploy.url_of(settings(host="0.0.0.0", port=81)) == "http://127.0.0.1:81"


def test_status_names_bundles_that_replicas_refuse_as_long_as_traffic_names_them(tmp_path: Path) -> None:
    home = Home(str(tmp_path))
    refused = {"two": "ChecksumMismatch: it was changed", "gone": "NotFound"}
    ReplicaStatuses(home).write(
        ReplicaStatus(replica="r", deployment="Gateway", heartbeat=1, revision=1, refused=refused)
    )
    assert deploy._refused(settings(home.url)) == {}
    TrafficStore(home).publish(Traffic(production="two", previous="one"))
    assert deploy._refused(settings(home.url)) == {"two": "ChecksumMismatch: it was changed"}


def test_who_answers_without_our_replicas_or_with_a_bundle_of_another_home_is_not_the_app() -> None:
    running, ours = {"Gateway": 2, "Retriever": 1}, {"one", "two"}
    assert deploy.stranger("one", running, ours.__contains__) is None
    assert deploy.stranger(None, {}, ours.__contains__) is None
    assert "no replica of Retriever runs" in str(deploy.stranger("one", running | {"Retriever": 0}, ours.__contains__))
    assert "no replica" in str(deploy.stranger("one", {}, ours.__contains__))
    assert "bundle small, which this home does not have" in str(deploy.stranger("small", running, ours.__contains__))


@pytest.mark.parametrize(
    "said", ["<h1>It works!</h1>", "[]", '{"status": "ready"}', '{"bundle": 3}', '{"status": "ready", "bundle": "x"}']
)
def test_readiness_is_believed_in_the_words_of_the_api_alone(said: str) -> None:
    class RequestStats(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(said.encode())

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), RequestStats) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        try:
            assert deploy._health(f"http://127.0.0.1:{server.server_port}") == ("x" if '"x"' in said else None)
        finally:
            server.shutdown()


class TestAsking:
    def test_a_running_app_gives_a_slate(self, served: str) -> None:
        slate = ask(f"{served}/fused", RecommendRequest(user_id="u2", n=3))
        assert [item.position for item in slate.items] == [1, 2, 3]

    def test_nothing_says_how_to_start_it(self, free_port: int) -> None:
        with pytest.raises(NotReady, match="remora serve start"):
            ask(f"http://127.0.0.1:{free_port + 1}", RecommendRequest(user_id="u2"))

    def test_for_what_is_not_possible_raises_what_the_server_said(self, served: str) -> None:
        with pytest.raises(BadRequest, match="home_feed, similar_items"):
            ask(f"{served}/fused", RecommendRequest(user_id="u2", surface="checkout"))
        request = RecommendRequest(user_id="u2", surface="similar_items", context={"seed_item_id": "i99"})
        with pytest.raises(NotFound, match="i99"):
            ask(f"{served}/fused", request)
