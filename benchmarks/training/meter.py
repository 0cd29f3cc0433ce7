"""Counts what a training loop is given, and times it; needs the standard library only, since peers' drivers read it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Round:
    """An epoch, or its first ``seconds``. ``examples`` are positives whose loss was computed; ``waited`` of the seconds
    went by until batches were there; ``whole`` is false where time was over before the epoch was."""

    examples: int
    seconds: float
    waited: float
    whole: bool


class Metered:
    """The batches of an epoch, handed on until it ends or ``limit_seconds`` are over.

    >>> meter = Metered([[5, 6], [7]], positives=len, limit_seconds=60)
    >>> list(meter), meter.examples, meter.whole
    ([[5, 6], [7]], 3, True)
    """

    def __init__(self, batches: Any, *, positives: Callable[[Any], int], limit_seconds: float) -> None:
        self.batches, self.positives, self.limit_seconds = batches, positives, limit_seconds
        self.examples, self.waited, self.whole = 0, 0.0, False

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[Any]:
        begun = asked = time.perf_counter()
        batches = iter(self.batches)
        while (batch := next(batches, None)) is not None:
            self.waited += time.perf_counter() - asked
            self.examples += self.positives(batch)
            yield batch
            asked = time.perf_counter()
            if asked - begun > self.limit_seconds:
                return
        self.whole = True


def measured(
    train: Callable[[Metered], Any], batches: Any, positives: Callable[[Any], int], limit_seconds: float
) -> dict[str, Any]:
    """One round of ``train`` over the batches, as JSON can hold it."""
    meter = Metered(batches, positives=positives, limit_seconds=limit_seconds)
    begun = time.perf_counter()
    train(meter)
    seconds = time.perf_counter() - begun
    return asdict(Round(examples=meter.examples, seconds=seconds, waited=meter.waited, whole=meter.whole))
