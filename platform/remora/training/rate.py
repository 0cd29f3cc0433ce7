"""The course of a learning rate."""

from __future__ import annotations

import math


def rate(step: int, steps: int) -> float:
    """Share of the largest rate at a step: up over 2% of the steps, then down to a twentieth along a cosine."""
    warm = min(1.0, (step + 1) / max(1.0, 0.02 * steps))
    return warm * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * min(1.0, step / max(1, steps)))))
