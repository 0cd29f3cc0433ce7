"""A share of users or items, chosen by a hash of their ids: the same everywhere, unlike Python's own hash."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt


def in_sample(ids: Iterable[str], share: float, purpose: str = "") -> npt.NDArray[np.bool_]:
    """Does each id fall into ``share``, a fraction in [0, 1]? Shape (ids,); purposes choose independently."""
    digests = (hashlib.blake2b(f"{purpose}{one}".encode(), digest_size=4).digest() for one in ids)
    return np.fromiter((int.from_bytes(digest, "big") / 2**32 < share for digest in digests), bool)
