"""Gate: does a process survive loading the bundle and answering a request of each surface?"""

from __future__ import annotations

import signal
from dataclasses import asdict, dataclass

from remora.release.gates.verdict import GateVerdict
from remora.settings import GatesSettings

GATE = "loads"


@dataclass(frozen=True, kw_only=True)
class LoadResult:
    """How a fresh process ended: its exit code, negative for a signal, None when it was ended for taking too long.

    ``said``: the end of what it wrote to stderr. ``growth_mib``: resident memory after less before, where it lived.
    """

    code: int | None
    seconds: float
    said: str = ""
    growth_mib: float | None = None


def decide(evidence: LoadResult, bounds: GatesSettings) -> GateVerdict:
    """Passed for exit code 0."""
    said = f" It said: {evidence.said}" if evidence.said else ""
    if evidence.code == 0:
        sentence = f"It loads and answers in a fresh process, in {evidence.seconds:.1f} s (exit code 0, as asked for)."
    elif evidence.code is None:
        sentence = (
            f"It was not loaded in {evidence.seconds:.1f} s; the bound is {bounds.load_timeout_seconds:g} s.{said}"
        )
    else:
        sentence = f"The process that loads it {ended(evidence.code)}; 0 is asked for.{said}"
    return GateVerdict(
        gate=GATE,
        passed=evidence.code == 0,
        measured=evidence.code,
        bound=0,
        unit="exit code",
        sentence=sentence,
        evidence=asdict(evidence),
        repeatable=evidence.code is not None and evidence.code != -signal.SIGKILL,  # too slow, or out of memory
    )


def ended(code: int) -> str:
    """An exit code in words.

    >>> ended(3), ended(-11)
    ('ends with exit code 3', 'is ended by signal 11 (SIGSEGV)')
    """
    if code >= 0:
        return f"ends with exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = "unknown"
    return f"is ended by signal {-code} ({name})"
