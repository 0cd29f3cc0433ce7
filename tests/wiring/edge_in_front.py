"""The real HAProxy, with Ray's own configuration as `remora-haproxy` changes it, in front of a small server."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from ray.serve._private.common import RequestProtocol
from ray.serve._private.haproxy import BackendConfig, HAProxyApi, HAProxyConfig, ServerConfig
from ray.serve.config import HTTPOptions

from remora.wiring.edge_rules import EdgeLimits
from remora.wiring.ports import free_port


async def server(scope: Any, receive: Any, send: Any) -> None:
    """Echoes what arrived as JSON; ``/status/N`` is N as plain text, as Serve's own answers are."""
    if scope["type"] != "http":
        return
    body = b""
    while (message := await receive()).get("more_body"):
        body += message["body"]
    body += message.get("body", b"")
    status, kind = 200, b"application/json"
    arrived = {"method": scope["method"], "path": scope["path"], "bytes": len(body)}
    said = json.dumps({**arrived, "headers": [[k.decode(), v.decode("latin1")] for k, v in scope["headers"]]}).encode()
    if scope["path"].startswith("/status/"):
        status, kind, said = int(scope["path"].rsplit("/", 1)[1]), b"text/plain", b"Request dropped due to backpressure"
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", kind)]})
    await send({"type": "http.response.body", "body": said})


def configuration(
    folder: Path, *, port: int, replicas: dict[str, int], host: str = "127.0.0.1", fallback: int | None = None
) -> Path:
    """What Ray writes for one application at ``/`` with these replicas, for no application where there are no replicas;
    ``fallback`` is the port of Serve's proxy."""
    config = HAProxyConfig(
        http_options=HTTPOptions(host=host, port=port),
        stats_port=free_port(0),
        metrics_port=free_port(0),
        socket_path=str(folder / "admin.sock"),
        metrics_socket_path=str(folder / "metrics.sock"),
        server_state_base=str(folder),
        server_state_file=str(folder / "server-state"),
        bufsize=EdgeLimits().buffer_bytes,
        metrics_enabled=True,
        nbthread=1,
    )
    servers = [ServerConfig(name=name, host="127.0.0.1", port=at) for name, at in replicas.items()]
    backend = BackendConfig(
        name="shop",
        path_prefix="/",
        app_name="shop",
        servers=servers,
        protocol=RequestProtocol.HTTP,
        fallback_server=fallback and ServerConfig(name="proxy", host="127.0.0.1", port=fallback),
    )
    file = folder / "haproxy.cfg"
    HAProxyApi(config, {"shop": backend} if replicas else {}, str(file))._generate_config_file_internal()
    return file


@contextmanager
def edge(folder: Path, app: Any = server, limits: EdgeLimits | None = None) -> Iterator[int]:
    """The port on which HAProxy answers for ``app``."""
    port = free_port(0)
    with listening(app) as inner:
        file = configuration(folder, port=port, replicas={"one": inner})
        with haproxy(folder, file, port, limits):
            yield port


@contextmanager
def listening(app: Any = server) -> Iterator[int]:
    """The port on which ``app`` answers."""
    inner = free_port(0)
    uv = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=inner, log_level="error", lifespan="off"))
    thread = threading.Thread(target=uv.run, daemon=True)
    thread.start()
    try:
        yield inner
    finally:
        uv.should_exit = True
        thread.join()


@contextmanager
def haproxy(
    folder: Path, file: Path, port: int, limits: EdgeLimits | None = None, up: bytes = b" 200 "
) -> Iterator[None]:
    """HAProxy with a configuration, from when a first line of an answer holds ``up``."""
    config = file.read_text().replace("option httpchk GET /-/healthz", "option httpchk GET /")
    file.write_text(config)
    process = subprocess.Popen(
        [sys.executable, "-m", "remora.wiring.haproxy", "-db", "-f", str(file)],
        env={"PYTHONPATH": ":".join(sys.path), "PATH": "/usr/bin:/bin", **(limits or EdgeLimits()).environment()},
        stderr=(folder / "haproxy.err").open("w"),
    )
    try:
        _wait_for(port, process, folder / "haproxy.err", up)
        yield
    finally:
        process.kill()
        process.wait()


def _wait_for(port: int, process: subprocess.Popen[bytes], errors: Path, up: bytes) -> None:
    while process.poll() is None:
        if up in sent(port, b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")[:15]:
            return
        threading.Event().wait(0.05)
    raise RuntimeError(errors.read_text())


def sent(port: int, text: bytes, *, seconds: float = 20) -> bytes:
    """What comes back for these bytes until the server closes or ``seconds`` have passed; b"" without a connection."""
    with closing(socket.socket()) as connection:
        connection.settimeout(seconds)
        if connection.connect_ex(("127.0.0.1", port)):
            return b""
        connection.sendall(text)
        return read(connection)


def read(connection: socket.socket) -> bytes:
    """Everything until the end."""
    parts = []
    try:
        while part := connection.recv(65_536):
            parts.append(part)
    except OSError:
        pass
    return b"".join(parts)
