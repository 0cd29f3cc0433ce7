"""What HAProxy does with requests that are slow, odd or too large, before a replica sees them: the real HAProxy."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.wiring.edge_in_front import configuration, edge, haproxy, listening, read, sent

from remora.wiring.edge_rules import EdgeLimits
from remora.wiring.haproxy import environment, on_loopback, prepared
from remora.wiring.ports import free_port

HOST = b"Host: localhost\r\nConnection: close\r\n"
CHUNKED = b"transfer-encoding: chunked\r\n\r\n"
LIMITS = EdgeLimits(max_body_bytes=30_000, request_seconds=1, max_connections=80)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("edge")


@pytest.fixture(scope="module")
def port(folder: Path) -> Iterator[int]:
    with edge(folder, limits=LIMITS) as port:
        yield port


def answered(answer: bytes) -> tuple[int, dict[str, str], bytes]:
    """Status, headers, body."""
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    return int(first.split()[1]), {k.lower(): v for k, v in (line.split(": ", 1) for line in lines)}, body


def problem(answer: bytes) -> int:
    """The status of an answer that is a problem document, and a small one."""
    status, headers, body = answered(answer)
    assert headers["content-type"] == "application/problem+json"
    assert json.loads(body)["status"] == status
    assert len(body) < 500
    return status


def arrived(port: int, headers: bytes) -> dict[str, str]:
    """Headers that the replica sees."""
    _, _, body = answered(sent(port, b"GET /x HTTP/1.1\r\n" + HOST + headers + b"\r\n"))
    return {name: value for name, value in echoed(body)["headers"] if name not in {"host", "connection"}}


def echoed(body: bytes) -> dict[str, Any]:
    """What the server behind HAProxy says that it got; the body is in chunks."""
    shown: dict[str, Any] = json.loads(body[body.index(b"{") : body.rindex(b"}") + 1])
    return shown


@pytest.mark.parametrize(
    ("request_text", "status"),
    [
        (b"EVIL1234 /x HTTP/1.1\r\n" + HOST + b"\r\n", 405),
        (b"GET /x HTTP/1.1\r\n" + HOST + b"x-request-id: \xff\xfe\r\n\r\n", 400),
        (b"GET /x HTTP/1.1\r\n" + HOST + b"serve_multiplexed_model_id: \x80\r\n\r\n", 400),
        (b"GET /x HTTP/1.1\r\n" + HOST + b"x-anything: \x01\r\n\r\n", 400),
        (b"GET /x HTTP/1.1\r\n" + HOST + b"a: " + b"a" * 20_000 + b"\r\n\r\n", 431),
        (b"GET /" + b"a" * 9_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 414),
        (b"POST / HTTP/1.1\r\n" + HOST + b"content-length: 30001\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\n" + HOST + b"content-length: 99999999999999\r\n\r\n", 413),
        (
            b"POST / HTTP/1.1\r\n"
            + HOST
            + b"transfer-encoding: chunked\r\n\r\n"
            + (b"1000\r\n" + b"a" * 4096 + b"\r\n") * 9,
            413,
        ),
        (b"POST / HTTP/1.1\r\n" + HOST + b"content-length: 100\r\n\r\n{", 408),
        (b"POST / HTTP/1.1\r\n" + HOST + b"transfer-encoding: chunked\r\n\r\n5\r\n{", 408),
        (b"GET /status/503 HTTP/1.1\r\n" + HOST + b"\r\n", 503),
        (b"GET /status/408 HTTP/1.1\r\n" + HOST + b"\r\n", 408),
        (b"GET /status/500 HTTP/1.1\r\n" + HOST + b"\r\n", 500),
    ],
    ids=lambda one: one[:60].decode("latin1") if isinstance(one, bytes) else str(one),
)
def test_what_is_slow_odd_or_too_large_gets_a_problem_document(port: int, request_text: bytes, status: int) -> None:
    assert problem(sent(port, request_text)) == status


def test_a_503_says_when_to_try_again(port: int) -> None:
    _, headers, _ = answered(sent(port, b"GET /status/503 HTTP/1.1\r\n" + HOST + b"\r\n"))
    assert int(headers["retry-after"]) > 0


@pytest.mark.parametrize(
    "beginning", [b"", b"GET /x HTTP/1.1\r\nHost: local", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"]
)
def test_a_head_that_never_ends_is_answered_with_408_and_the_connection_ends(port: int, beginning: bytes) -> None:
    assert problem(sent(port, beginning)) == 408


@pytest.mark.parametrize(
    "head",
    [
        b"GARBAGE\r\n\r\n",
        b"\r\nGARBAGE\n\n",
        b"GET /x\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET /x HTTP/1.1\r\nno colon\r\n" + HOST + b"\r\n",
        b"GET /x HTTP/1.1\r\n" + HOST + b"a : 1\r\n\r\n",
        b"GET /x HTTP/1.1\r\n" + HOST + b"a: \x00\r\n\r\n",
        b"GET /x HTTP/1.1\r\n folded before a field\r\n" + HOST + b"\r\n",
        b"POST / HTTP/1.1\r\n" + HOST + b"content-length: 1\r\ncontent-length: 2\r\n\r\n{}",
        b"POST / HTTP/1.1\r\n" + HOST + b"content-length: -1\r\n\r\n",
        b"GET http://other/ HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET /x HTTP/1.1\r\n" + HOST + b"a: b\r\n" * 300 + b"\r\n",
        b"POST / HTTP/1.1\r\n" + HOST + CHUNKED + b"ZZ\r\n\r\n",
        b"POST / HTTP/1.1\r\n" + HOST + CHUNKED + b"2\r\nabZZ\r\n",
        b"POST / HTTP/1.1\r\n" + HOST + CHUNKED + b"2\r\nab\r\nZZ\r\n",
        b"POST / HTTP/1.1\r\n" + HOST + CHUNKED + b"\r\n0\r\n\r\n",
    ],
)
def test_what_is_not_http_gets_a_problem_document(port: int, head: bytes) -> None:
    assert problem(sent(port, head)) == 400


def test_a_head_larger_than_haproxy_holds_gets_a_problem_document(port: int) -> None:
    assert problem(sent(port, b"GET /x HTTP/1.1\r\n" + HOST + b"a: " + b"a" * 400_000)) == 431


@given(
    target=st.from_regex(r"/[!-~]{0,40}", fullmatch=True),
    fields=st.lists(
        st.tuples(
            st.from_regex(r"x-[!#$%&'*+.^_`|~0-9A-Za-z-]{1,20}", fullmatch=True),
            st.from_regex(r"[!-~]([ -~\t]{0,30}[!-~])?", fullmatch=True),
        ),
        max_size=20,
        unique_by=lambda field: field[0].lower(),
    ),
    end=st.sampled_from(["\r\n", "\n"]),
    pieces=st.integers(1, 4),
)
@settings(max_examples=60, deadline=None)
def test_every_head_of_http_is_passed_on(
    port: int, target: str, fields: list[tuple[str, str]], end: str, pieces: int
) -> None:
    lines = [f"GET {target} HTTP/1.1", "Host: localhost", "Connection: close", *(f"{k}: {v}" for k, v in fields)]
    text = end.join([*lines, "", ""]).encode()
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.settimeout(20)
        for at in range(pieces):
            connection.sendall(text[at * len(text) // pieces : (at + 1) * len(text) // pieces])
        status, _, body = answered(read(connection))
    assert status == 200
    assert {f"{k.lower()}: {v}" for k, v in fields} <= {": ".join(field) for field in echoed(body)["headers"]}


def test_a_body_in_chunks_that_ends_anywhere_is_waited_for(port: int) -> None:
    chunks = b"5\r\nabcde\r\n1;a=b\r\nf\r\n0\r\n\r\n"
    with ExitStack() as held:
        begun = [held.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in chunks]
        for at, connection in enumerate(begun):
            connection.settimeout(20)
            connection.sendall(b"POST / HTTP/1.1\r\n" + HOST + CHUNKED + chunks[:at])
        assert {problem(read(connection)) for connection in begun} == {408}


@pytest.mark.parametrize("size", [b"fffffffffffffff0", b"f" * 16, b"ffffffffffffffe0", b"f" * 100])
def test_a_chunk_larger_than_any_number_is_refused(port: int, size: bytes) -> None:
    answer = sent(port, b"POST / HTTP/1.1\r\n" + HOST + CHUNKED + b"1\r\na\r\n" * 9 + size + b"\r\na\r\n")
    assert answered(answer)[0] in {400, 408, 413}


@given(sizes=st.lists(st.integers(1, 300), max_size=6), cut=st.floats(0, 1))
@settings(max_examples=60, deadline=None)
def test_a_body_in_chunks_is_passed_on_wherever_its_first_packet_ends(port: int, sizes: list[int], cut: float) -> None:
    chunks = b"".join(b"%x\r\n%s\r\n" % (size, b"a" * size) for size in [*sizes]) + b"0\r\n\r\n"
    at = int(len(chunks) * cut)
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.settimeout(20)
        connection.sendall(b"POST / HTTP/1.1\r\n" + HOST + CHUNKED + chunks[:at])
        connection.sendall(chunks[at:])
        status, _, body = answered(read(connection))
    assert (status, echoed(body)["bytes"]) == (200, sum(sizes))


def test_a_body_of_the_largest_size_in_many_pieces_arrives_whole(port: int) -> None:
    pieces = b"transfer-encoding: chunked\r\n\r\n" + b"1\r\na\r\n" * 29_999 + b"1\r\na\r\n0\r\n\r\n"
    status, _, body = answered(sent(port, b"POST / HTTP/1.1\r\n" + HOST + pieces))
    assert status == 200
    assert b'"bytes": 30000' in body


def test_ray_serves_own_headers_are_taken_away(port: int) -> None:
    ray = (
        b"X-Request-Timeout-Seconds: 0\r\nx-request-disconnect-disabled: 1\r\nx-session-id: s\r\n"
        b"serve_multiplexed_model_id: m\r\nServe-Multiplexed-Model-Id: m\r\n"
    )
    assert arrived(port, ray + b"x-request-timeout-ms: 80\r\n") == {"x-request-timeout-ms": "80"}


@pytest.mark.parametrize(
    ("headers", "kept"),
    [
        (b"x-request-id: mine-1\r\n", {"x-request-id": "mine-1"}),
        (b"x-request-id: two words\r\n", {}),
        (b"x-request-id: " + b"x" * 129 + b"\r\n", {}),
        (b"x-request-id: one\r\nx-request-id: two\r\n", {}),
        (b"x-request-id:\r\n", {}),
    ],
)
def test_a_request_id_that_cannot_be_used_is_taken_away(port: int, headers: bytes, kept: dict[str, str]) -> None:
    assert arrived(port, headers) == kept


def test_slow_bodies_take_no_place_of_a_replica_and_others_are_answered(port: int) -> None:
    with ExitStack() as held:
        slow = [held.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(60)]
        for connection in slow:
            connection.settimeout(20)
            connection.sendall(b"POST / HTTP/1.1\r\n" + HOST + b"content-length: 5000\r\n\r\n{")
        for _ in range(20):
            assert answered(sent(port, b"GET /x HTTP/1.1\r\n" + HOST + b"\r\n"))[0] == 200
        assert {problem(read(connection)) for connection in slow} == {408}


def test_one_address_has_no_more_connections_than_the_settings_say(port: int) -> None:
    with ExitStack() as held:
        many = [held.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(90)]
        many[-1].settimeout(20)
        assert read(many[-1]) == b""


def test_no_path_and_no_syslog_is_in_what_it_reads(folder: Path, port: int) -> None:
    text = (folder / "haproxy.cfg.loopback").read_text()
    assert "option httplog" not in text
    assert ":514" not in text


def test_its_folder_and_its_socket_are_the_owners(folder: Path, port: int) -> None:
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "admin.sock").stat().st_mode & 0o777 == 0o600
    named = environment("/private/haproxy", stats_port=1, metrics_port=2, longest_answer_seconds=3)
    assert all(value.startswith("/private/haproxy") for name, value in named.items() if name.endswith("SOCKET_PATH"))


def test_an_endpoint_for_all_interfaces_keeps_only_its_own_pages_on_loopback(tmp_path: Path) -> None:
    text = on_loopback(configuration(tmp_path, port=8123, replicas={"one": 9}, host="0.0.0.0").read_text())
    binds = [line.split()[1] for line in text.splitlines() if line.strip().startswith("bind ")]
    assert "*:8123" in binds
    assert all(bind.startswith("127.0.0.1:") for bind in binds if bind != "*:8123")


def test_a_configuration_of_another_shape_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "haproxy.cfg"
    file.write_text("global\ndefaults\nfrontend web\n  bind *:80\n")
    with pytest.raises(ValueError, match=r"writes it differently from 2\.60"):
        prepared(file, EdgeLimits())


def test_sockets_have_names_that_haproxy_takes_with_rays_node_id_in_their_path() -> None:
    named = environment("/tmp/remora-4294967295-12345678/h", stats_port=1, metrics_port=2, longest_answer_seconds=3)
    sockets = [Path(value) for name, value in named.items() if name.endswith("SOCKET_PATH")]
    assert all(len(str(path.parent / ("n" * 56) / path.name)) <= 97 for path in sockets)


def test_without_a_replica_the_answer_is_503_at_once_and_not_that_of_the_proxy_that_waits_for_one(
    tmp_path: Path,
) -> None:
    port, dead = free_port(0), free_port(0)
    with listening() as proxy:
        file = configuration(tmp_path, port=port, replicas={"dead": dead}, fallback=proxy)
        with haproxy(tmp_path, file, port, up=b"HTTP/"):
            assert problem(sent(port, b"GET /x HTTP/1.1\r\n" + HOST + b"\r\n")) == 503


def test_before_serve_has_told_of_an_application_no_path_is_unknown(tmp_path: Path) -> None:
    port = free_port(0)
    file = configuration(tmp_path, port=port, replicas={})
    with haproxy(tmp_path, file, port, up=b"HTTP/"):
        answer = sent(port, b"GET /v1/recommend/1 HTTP/1.1\r\n" + HOST + b"\r\n")
    assert problem(answer) == 503
    assert int(answered(answer)[1]["retry-after"]) > 0


def test_what_a_dead_replica_was_to_answer_another_answers(tmp_path: Path) -> None:
    port, dead = free_port(0), free_port(0)
    with listening() as alive:
        file = configuration(tmp_path, port=port, replicas={"dead": dead, "alive": alive}, fallback=dead)
        with haproxy(tmp_path, file, port):
            answers = [sent(port, b"GET /x HTTP/1.1\r\n" + HOST + b"\r\n") for _ in range(4)]
    assert [answered(answer)[0] for answer in answers] == [200] * 4
