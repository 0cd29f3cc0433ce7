"""A bundle that ends the process which opens it ends one replica and not all: one alone makes the first opening."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from remora.core.errors import NotReady, Refused
from remora.core.home import Home
from remora.core.locks import exclusive_lock

FOLDER = "serving/opened"


class LoadInProgress(NotReady):
    """Another replica opens the bundle for the first time; look again in a moment."""


@dataclass(frozen=True)
class LoadGuard:
    """Which bundles a replica of this home has opened and outlived, and which one was opened when a replica died.

    Locks need a local home; on S3 nothing is kept apart, and only the proof before a rollout or a promotion holds.
    """

    home: Home

    @contextmanager
    def opening(self, bundle: str, *, revision: int) -> Iterator[None]:
        """Hold while a bundle is opened for the traffic of a ``revision``.

        LoadInProgress while another replica makes the first opening; Refused when one died of it. That holds for the
        revision: whoever directs traffic at the bundle again has it tried again.
        """
        done, begun = f"{FOLDER}/{bundle}.done", f"{FOLDER}/{bundle}.begun"
        if not self.home.is_local or self.home.exists(done):
            yield
            return
        elsewhere = LoadInProgress(f"another replica opens bundle {bundle} for the first time")
        with exclusive_lock(self.home, f"{FOLDER}/{bundle}.lock", on_busy=lambda: elsewhere):
            if self.home.exists(begun) and self.home.read_bytes(begun) == _written(revision):
                raise Refused(
                    f"A replica died while it opened bundle {bundle}. `remora gate {bundle}` opens it by itself and "
                    f"says how it ends. It is tried again when the traffic changes."
                )
            # Before the bundle is opened: where this process dies of it, what is left here keeps the next replica from
            # trying.
            self.home.write_bytes(begun, _written(revision))
            try:
                yield
            finally:
                self.home.delete(begun)  # not reached by a process that dies
            self.home.write_bytes(done, b"")


def _written(revision: int) -> bytes:
    return f"{revision}\n".encode()
