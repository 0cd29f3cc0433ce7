"""A controller as a detached actor of the Ray cluster: a thin shell, which Ray starts again when it dies."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from typing import Any

import ray

from remora.core.errors import NotReady, RemoraError
from remora.release.rollout.controller import Controller, Preflight
from remora.release.rollout.start import controller_lock
from remora.release.rollout.state import Rollout
from remora.settings import Settings

NAMESPACE = "remora"
LOCK_SECONDS = 2.0

logger = logging.getLogger(__name__)


def name_of(settings: Settings) -> str:
    """The actor's name: one a home."""
    return f"rollout:{settings.name}"


def start(settings: Settings, preflight: Preflight) -> None:
    """Carry the current rollout out on the cluster that this program is connected to, and return at once.

    Ray starts the actor again wherever it dies; it ends when the rollout has ended. NotReady while one is there.
    """
    if hosted(settings):
        raise NotReady(f"The actor {name_of(settings)} carries out a rollout already. See `remora rollout status`.")
    options: dict[str, Any] = {"name": name_of(settings), "namespace": NAMESPACE, "lifetime": "detached"}
    ray.remote(ControllerActor).options(**options, max_restarts=-1, num_cpus=0).remote(settings, preflight)


def hosted(settings: Settings) -> bool:
    """Does the actor live, on the cluster that this program is connected to?"""
    with contextlib.suppress(ValueError):
        ray.get_actor(name_of(settings), NAMESPACE)
        return True
    return False


class ControllerActor:
    """The actor; it works in a thread of its own, because Ray restarts it and calls nothing after a death."""

    def __init__(self, settings: Settings, preflight: Preflight) -> None:
        self.settings, self.preflight = settings, preflight
        threading.Thread(target=self._work, daemon=True).start()

    def pid(self) -> int:
        """Of the process that it lives in."""
        return os.getpid()

    def _work(self) -> None:
        try:
            self._carry_out()
        except RemoraError as error:
            logger.error("the rollout waits for an operator: %s", error)
        finally:
            # A detached actor lives until it is killed.
            ray.kill(ray.get_actor(name_of(self.settings), NAMESPACE))

    def _carry_out(self) -> None:
        while True:
            try:
                with controller_lock(self.settings):
                    Controller(self.settings, preflight=self.preflight).run(rest=time.sleep, on_progress=_log)
                return
            except NotReady:  # whoever began it has not let go yet, or died and its process is not gone yet
                time.sleep(LOCK_SECONDS)


def _log(what: Rollout | str) -> None:
    if isinstance(what, str):
        logger.warning("%s", what)
