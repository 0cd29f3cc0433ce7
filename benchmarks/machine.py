"""What a figure was measured on."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from typing import Any

import psutil

LIBRARIES = ("remora", "ray", "feast", "torch", "xgboost", "faiss-cpu", "pyarrow", "polars", "duckdb")


def machine() -> dict[str, Any]:
    """CPUs, memory, load and versions."""
    return {
        "cpus": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / (1 << 30), 1),
        "platform": platform.platform(),
        "load_average": [round(load, 2) for load in os.getloadavg()],
        "versions": {name: version(name) for name in LIBRARIES},
    }
