"""Processes that take events and are killed at any instant: what they had said was taken, and what the log has.

Run as a program: the folder of the log, how many are killed, a seed. It prints one JSON document.
"""

from __future__ import annotations

import json
import os
import random
import select
import signal
import sys
import time
from pathlib import Path

from tests.events.test_contract import CONTRACT, event

from remora.events.file_log import FileLog, sealed
from remora.events.intake import Intake
from remora.events.segment import records


def take(folder: Path, number: int, told: int) -> None:
    """Take batches, and say of each which ids were accepted, until the end."""
    intake = Intake(FileLog(folder, segment_bytes=2_000, segment_seconds=1_000), CONTRACT)
    for batch in range(10_000):
        ids = [f"{number}-{batch}-{place}" for place in range(1 + batch % 5)]
        verdicts = intake.take([event(event_id=id) for id in ids]).result()
        os.write(told, ("\n".join(verdict.event_id for verdict in verdicts) + "\n").encode())


def killed(folder: Path, number: int, after_seconds: float) -> list[str]:
    """The ids that one process said to be accepted before it was killed."""
    heard, told = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(heard)
        take(folder, number, told)
        os._exit(0)
    os.close(told)
    content, end = b"", time.monotonic() + after_seconds
    while (left := end - time.monotonic()) > 0:
        if select.select([heard], [], [], left)[0]:
            content += os.read(heard, 1 << 16)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    while more := os.read(heard, 1 << 16):
        content += more
    os.close(heard)
    # Of a line that the kill cut nobody was told.
    return content.decode().split("\n")[:-1]


def main(folder: Path, kills: int, seed: int) -> None:
    """Kill so many, then read the log."""
    draw = random.Random(seed)
    accepted = [id for number in range(kills) for id in killed(folder, number, draw.uniform(0.0, 0.05))]
    found = [json.loads(record.content)["event_id"] for path in sealed(folder) for record in records(path)]
    print(json.dumps({"accepted": len(accepted), "kept": len(found), "lost": sorted(set(accepted) - set(found))}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
