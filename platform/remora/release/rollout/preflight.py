"""The proof of a bundle before any replica hears of it: it loads and answers in a process of its own."""

from __future__ import annotations

from remora.core.errors import GatesFailed
from remora.registry.bundles import Bundles
from remora.release.gates.evidence.fresh_process import FreshProcess
from remora.release.gates.load import GATE, decide
from remora.settings import Settings


def preflight(settings: Settings, bundle: str) -> None:
    """GatesFailed where the process that loads it dies, fails, or takes too long; Refused for a damaged bundle."""
    ended = FreshProcess.start(Bundles(settings).open(bundle), settings).ended()
    verdict = decide(ended, settings.gates)
    if not verdict.passed:
        raise GatesFailed(bundle, (f"{GATE}: {verdict.sentence}",))
