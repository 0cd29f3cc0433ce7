"""Gate: is the candidate quick enough for a request's time, and not much slower than production beside it?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from remora.release.gates.verdict import ALONE, Check, GateVerdict, verdict_of
from remora.settings import GatesSettings

GATE = "latency"


@dataclass(frozen=True, kw_only=True)
class Latency:
    """Milliseconds of the pipelines in process, warm: percentiles over requests of the fastest of ``rounds``.

    ``ratio`` is the median over requests of candidate's time by production's, asked one after the other: what else the
    machine does meets both. ``timeout_ms`` is a request's time.
    """

    p50_ms: float
    p99_ms: float
    production_p50_ms: float | None
    production_p99_ms: float | None
    ratio: float | None
    requests: int
    rounds: int
    timeout_ms: float


def decide(evidence: Latency, bounds: GatesSettings) -> GateVerdict:
    """Passed when p99 is at most a share of a request's time, and the ratio at most its bound."""
    p50 = f"p50 is {evidence.p50_ms:.3g} ms"
    beside = f", production's {evidence.production_p50_ms:.3g} ms." if evidence.production_p50_ms is not None else "."
    remarks = [p50 + beside, *([ALONE] if evidence.ratio is None else [])]
    return verdict_of(GATE, [*_checks(evidence, bounds)], evidence, remarks=remarks, repeatable=False)


def _checks(found: Latency, bounds: GatesSettings) -> Iterator[Check]:
    yield Check(what="p99", measured=found.p99_ms, bound=bounds.max_latency_fraction * found.timeout_ms, unit="ms")
    if found.ratio is not None:
        what = "The median over requests of its time by production's"
        yield Check(what=what, measured=found.ratio, bound=bounds.max_latency_ratio, unit="")
