"""Ray Train runs that resume when they were interrupted, and never otherwise."""

from __future__ import annotations

import os
from typing import Any

from ray.train import CheckpointConfig, FailureConfig, RunConfig, UserCallback

from remora.core.errors import UnreadableInput
from remora.core.home import Home
from remora.core.json_document import read_document

FOLDER = "training"
STATE = "checkpoint_manager_snapshot.json"

POLL = "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S"
POLL_SECONDS = 0.25


def run_config(
    home: Home, name: str, version: str, *, callback: UserCallback, max_failures: int, best: str | None = None
) -> RunConfig:
    """Configuration of the run ``<name>-<version>`` under ``<home>/training``.

    Ray Train continues with any run of the same name. The version is the fingerprint of the run's inputs, so only the
    same run is gone on with; its folder is removed by :func:`forget` once its artifact is committed. Two checkpoints
    are kept: the last, and the one of largest ``best``.
    """
    # The controller takes one report of a worker each time it polls, and the next report waits for that: at Ray's own
    # two seconds no epoch ends sooner.
    os.environ.setdefault(POLL, str(POLL_SECONDS))
    folder = f"{FOLDER}/{name}-{version}"
    if _is_torn(home, f"{folder}/{STATE}"):
        home.delete(folder)
    return RunConfig(
        name=f"{name}-{version}",
        storage_path=home.make_folder(FOLDER),
        storage_filesystem=home.filesystem,
        failure_config=FailureConfig(max_failures=max_failures),
        checkpoint_config=CheckpointConfig(num_to_keep=1, checkpoint_score_attribute=best),
        callbacks=[callback],  # type: ignore[list-item]
    )


def forget(home: Home, name: str, version: str) -> None:
    """Remove the checkpoints of a run whose artifact is committed."""
    home.delete(f"{FOLDER}/{name}-{version}")


def forget_parts(home: Home, name: str, version: str) -> None:
    """As :func:`forget`, for all runs whose versions begin with this one and a ``-``."""
    for folder in home.folders(FOLDER):
        if folder.startswith(f"{name}-{version}-"):
            home.delete(f"{FOLDER}/{folder}")


def _is_torn(home: Home, path: str) -> bool:
    """Ray Train writes its state in place: a crash in the middle leaves one that nothing can be resumed from."""
    if not home.exists(path):
        return False
    try:
        read_document(home, path, dict[str, Any], "")
    except UnreadableInput:
        return True
    return False
