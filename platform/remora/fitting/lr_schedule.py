"""The course of a learning rate."""

from __future__ import annotations

import math


def rate(progress: float) -> float:
    """Share of the largest rate when ``progress`` (0 to 1) of the training is done.

    Up over the first fiftieth, then down to a twentieth along a cosine (Loshchilov and Hutter,
    SGDR, ICLR 2017, without restarts).
    """
    return min(1.0, (progress + 1e-3) / 0.02) * cooled(progress)


def cooled(progress: float) -> float:
    """The same share, of ``progress`` from 0 to 1, without the way up."""
    return 0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))
