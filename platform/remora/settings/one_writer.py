"""One command at a time makes something in a home: data, features, models, evaluations, bundles.

What moves in moments (aliases, traffic, rollouts) has a lock of its own, the registry's, which is waited for: so a
rollback never waits for a training.
"""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Callable, Iterator
from typing import Concatenate, ParamSpec, TypeVar

from remora.core.errors import NotReady
from remora.core.home import Home
from remora.core.locks import exclusive_lock, holder_of
from remora.core.private import keep_private
from remora.settings.tree import Settings

LOCK = ".writing.lock"

P = ParamSpec("P")
R = TypeVar("R")

_held: set[tuple[str, int]] = set()
"""Homes that this process writes into, each with the thread that does."""


@contextlib.contextmanager
def one_writer(settings: Settings, command: str) -> Iterator[None]:
    """Be the only process that makes something in the settings' home; NotReady says who is.

    ``command`` is what others see. Within the block the same thread may ask again, for a run is made of commands.
    The kernel lets go when the process dies. A home on S3 needs a database for this: `registry.lock_url`, or a
    `tracking_uri` that is one. Without it nothing is held, and of two writers of one version the last one stands.
    """
    keep_private()
    home = Home(settings.home)
    # By thread: a lock of the process alone would let two threads write at once.
    key = (home.at(), threading.get_ident())
    if key in _held:
        yield
        return
    database = settings.registry.lock_url or settings.tracking_uri or ""
    with exclusive_lock(home, LOCK, database, command=command, on_busy=lambda: _another(home)):
        _held.add(key)
        try:
            yield
        finally:
            _held.remove(key)


def writes(command: str) -> Callable[[Callable[Concatenate[Settings, P], R]], Callable[Concatenate[Settings, P], R]]:
    """A step of ``command`` that makes something in the home of its first argument: see :func:`one_writer`."""

    def decorated(step: Callable[Concatenate[Settings, P], R]) -> Callable[Concatenate[Settings, P], R]:
        @functools.wraps(step)
        def alone(settings: Settings, /, *args: P.args, **kwargs: P.kwargs) -> R:
            with one_writer(settings, command):
                return step(settings, *args, **kwargs)

        return alone

    return decorated


def _another(home: Home) -> NotReady:
    holder = holder_of(home, LOCK)
    return NotReady(
        f"{holder or 'Another command'} is writing into the home {home.at()}. Wait until it has ended, or end its "
        f"process."
    )
