"""A file of events is sent whole, again where the server was out, and is the same file when it is sent twice."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

from remora.cli.main import app
from remora.core.errors import BadRequest, DataError, MissingInput, NotReady
from remora.serving.event_file import read_events
from remora.serving.event_sender import MAX_BATCH_BYTES, batches, identified, send

GOOD = {"user_id": "u", "item_id": "i", "event_type": "buy"}


class Server(HTTPServer):
    """Answers with the statuses that are ``planned``, then takes everything; knows ids that were sent before."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.planned: list[int] = []
        self.retry_after = "2"
        self.said: bytes | None = None
        self.requests: list[list[dict[str, Any]]] = []
        self.known: set[str] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        events = json.loads(self.rfile.read(int(self.headers["content-length"])))["events"]
        status = self.server.planned.pop(0) if self.server.planned else 200
        body: dict[str, Any] = {"detail": "the disk is full"}
        if status == 200:
            self.server.requests.append(events)
            body = {"verdicts": [self._verdict(event) for event in events]}
        self.send_response(status)
        self.send_header("content-type", "application/json" if status == 200 else "application/problem+json")
        self.send_header("retry-after", self.server.retry_after)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode() if self.server.said is None else self.server.said)

    def _verdict(self, event: dict[str, Any]) -> dict[str, str]:
        if "item_id" not in event:
            return {"verdict": "quarantined", "reason": "item_id is missing"}
        known = event["event_id"] in self.server.known
        self.server.known.add(event["event_id"])
        return {"verdict": "duplicate" if known else "accepted", "reason": ""}

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    found = Server()
    thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield found
    found.shutdown()
    thread.join()
    found.server_close()


def test_every_event_has_an_id_of_its_own_and_the_same_when_the_file_is_sent_again(server: Server) -> None:
    file = [GOOD, GOOD, GOOD | {"event_id": "mine"}, {"user_id": "u"}]
    first, second = send(server.url, file), send(server.url, file)
    assert first.as_json() == {
        "accepted": 3, "duplicates": 0, "quarantined": 1, "reasons": {"item_id is missing": 1},
    }  # fmt: skip
    assert second.as_json()["duplicates"] == 3
    assert len({event["event_id"] for event in server.requests[0]}) == 4


def test_a_batch_is_sent_again_when_the_server_can_take_it(server: Server) -> None:
    server.planned, waited = [503, 503], list[float]()
    assert send(server.url, [GOOD], rest=waited.append).as_json()["accepted"] == 1
    assert waited == [2.0, 2.0]


@pytest.mark.parametrize("said", ["-5", "0", "nan", "inf", "soon", "", "Wed, 21 Oct 2015 07:28:00 GMT"])
def test_a_wait_that_the_server_does_not_mean_is_a_second(server: Server, said: str) -> None:
    server.planned, server.retry_after, waited = [503], said, list[float]()
    send(server.url, [GOOD], rest=waited.append)
    assert waited == [1.0]


@pytest.mark.parametrize("said", [b"<html>log in", b"[1]", b"{}", b'{"verdicts": [{}]}', b"\xff", b""])
def test_an_answer_of_another_server_is_no_bug(server: Server, said: bytes) -> None:
    server.said = said
    with pytest.raises(NotReady, match="does not answer as Remora does"):
        send(server.url, [GOOD])


@pytest.mark.parametrize("url", ["", "127.0.0.1:8000", "ftp://host", "http://[::1", "http://"])
def test_what_is_no_url_is_refused_at_once(url: str) -> None:
    with pytest.raises(BadRequest, match="is no URL"):
        send(url, [GOOD])


def test_after_a_while_it_says_that_nothing_is_taken(server: Server) -> None:
    server.planned = [503] * 9
    with pytest.raises(NotReady, match=r"taken no events for 4 s: the disk is full\. Send the file again"):
        send(server.url, [GOOD], patience_seconds=5, rest=lambda seconds: None)
    with pytest.raises(NotReady, match="nothing answers"):
        send("http://127.0.0.1:9", [GOOD], patience_seconds=2, rest=lambda seconds: None)


def test_a_batch_that_is_refused_is_an_error_at_once(server: Server) -> None:
    server.planned = [413]
    with pytest.raises(BadRequest, match="status 413: the disk is full"):
        send(server.url, [GOOD])


def test_batches_are_as_large_as_a_request_may_be() -> None:
    few = [GOOD | {"session_id": "s" * 250}] * 2_000
    found = list(batches(identified(few)))
    assert sum(map(len, found)) == 2_000
    assert max(len(json.dumps(batch)) for batch in found) <= MAX_BATCH_BYTES
    assert [len(batch) for batch in batches([GOOD] * 2_500)] == [1_000, 1_000, 500]


@pytest.mark.parametrize("ending", ["jsonl", "csv", "parquet"])
def test_files_are_read_by_their_ending(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"events.{ending}"
    rows = [GOOD | {"user_id": "007", "value": 2.5, "position": 3}, GOOD | {"session_id": "s"}]
    if ending == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n\n" for row in rows))
    else:
        getattr(pl.DataFrame(rows), f"write_{ending}")(path)
    assert list(read_events(path)) == rows


def test_a_file_that_cannot_be_read_says_where(tmp_path: Path) -> None:
    with pytest.raises(MissingInput, match=r"none\.jsonl"):
        list(read_events(tmp_path / "none.jsonl"))
    for name, content, says in (
        ("a.jsonl", '{"user_id": "u"}\n{', r"Line 2 of .*a\.jsonl"),
        ("a.parquet", "x", r"a\.parquet' cannot be read"),
        ("a.csv", "value\nmuch\n", r"a\.csv' cannot be read"),
    ):
        (tmp_path / name).write_text(content)
        with pytest.raises(DataError, match=says):
            list(read_events(tmp_path / name))


def test_the_command_says_how_many_and_why(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in [GOOD, {"user_id": "u"}]))
    done = CliRunner().invoke(app, ["events", "send", str(file), "--url", server.url], catch_exceptions=False)
    assert "1 accepted, 0 duplicates, 1 quarantined" in done.output
    assert "1: item_id is missing" in done.output
