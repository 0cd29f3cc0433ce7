"""The table of gates: what each is called, and what decides it from its evidence."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from remora.release.gates import (
    calibration,
    coverage,
    index_recall,
    latency,
    load,
    memory,
    offline,
    parity,
    slate_validity,
)
from remora.release.gates.verdict import GateVerdict
from remora.settings import GatesSettings

GATES: Mapping[str, Callable[[Any, GatesSettings], GateVerdict]] = {
    gate.GATE: gate.decide
    for gate in (load, parity, slate_validity, index_recall, offline, coverage, calibration, latency, memory)
}
"""In the order in which they are measured: what stops others from being measured comes first."""
