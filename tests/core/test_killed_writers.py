"""A writer that is killed at any instant leaves the version before it, or its own, and never a part."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
from pathlib import Path

from remora.core.artifacts import ArtifactStore
from remora.core.home import Home


def write_versions(home: str) -> None:
    """Publish one version after another until the process is killed."""
    artifacts = ArtifactStore(Home(home), "lake", "remora data ingest")
    for number in range(1_000_000):
        staging = artifacts.staging(f"v{number % 7}")  # names come again, so versions are replaced too
        for name in ("events/a.txt", "events/b.txt", "items/a.txt"):
            artifacts.home.write_bytes(f"{staging.folder}/{name}", f"{name} {number}".encode() * 50)
        artifacts.commit(staging, number=number)


def test_a_writer_killed_at_any_instant_leaves_whole_versions(home_folder: Path) -> None:
    draw, context = random.Random(3), multiprocessing.get_context("fork")
    artifacts = ArtifactStore(Home(str(home_folder)), "lake", "remora data ingest")
    last = -1
    for _ in range(40):
        writer = context.Process(target=write_versions, args=(str(home_folder),))
        writer.start()
        writer.join(draw.uniform(0.02, 0.25))
        assert writer.pid is not None
        os.kill(writer.pid, signal.SIGKILL)
        writer.join()
        for version in artifacts.home.folders("lake/versions"):
            assert artifacts.find(version) is not None, f"{version} has no metadata and lies among the versions"
        if artifacts.home.exists("lake/CURRENT"):
            last = max(last, artifacts.current().metadata["number"])
    assert last >= 0, "no writer lived long enough to commit"
