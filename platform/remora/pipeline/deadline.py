"""When something must be over: kept on this process's own clock, and sent as the time that is left."""

from __future__ import annotations

import math
from dataclasses import dataclass
from time import monotonic


@dataclass(frozen=True, slots=True)
class Deadline:
    """``at`` is in seconds of :func:`time.monotonic`, which no one sets and no other process shares.

    Pickled it is the time that is left, as in gRPC, so clocks of other machines may differ by any amount. What passes
    between pickling and unpickling is not counted; who waits for the whole counts it.
    """

    at: float = math.inf

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        """So many seconds from now."""
        return cls(monotonic() + seconds)

    @property
    def left(self) -> float:
        """Seconds until then, below 0 when it is over."""
        return self.at - monotonic()

    def __reduce__(self) -> tuple[object, tuple[float]]:
        """What crosses a process border."""
        return Deadline.after, (self.left,)


NEVER = Deadline()
