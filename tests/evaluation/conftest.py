"""ranx, the reference for metrics, compiles for a minute unless it is told to run as plain Python."""

from __future__ import annotations

import os

os.environ.setdefault("NUMBA_DISABLE_JIT", "1")
