from __future__ import annotations

import getpass
import http.server
import os
import threading
import urllib.request

import pytest

from remora.core.feast_import import VARIABLES
from remora.wiring.surroundings import LOOPBACK, settle


def test_a_proxy_is_not_asked_for_loopback_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    import httpx
    import requests

    class Hello(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "intranet.example")
    settle()
    with http.server.HTTPServer(("127.0.0.1", 0), Hello) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        try:
            assert httpx.get(url).status_code == 200
            assert requests.get(url, timeout=10).status_code == 200
            with urllib.request.urlopen(url) as answer:
                assert answer.status == 200
        finally:
            server.shutdown()


def test_what_was_said_of_proxies_stays_and_nothing_is_said_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "intranet.example, localhost")
    monkeypatch.setenv("NO_PROXY", "*")
    settle()
    settle()
    assert os.environ["no_proxy"].split(",") == ["intranet.example", "localhost", *LOOPBACK[1:]]
    assert os.environ["NO_PROXY"] == "*"


def test_a_user_without_an_entry_has_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    import pwd

    def unknown_user(uid: int) -> object:
        raise KeyError(uid)

    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown_user)
    settle()
    assert getpass.getuser().startswith("uid")


def test_a_folder_of_metrics_is_not_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.setenv(name, "/gone")
    settle()
    assert not [name for name in VARIABLES if name in os.environ]
