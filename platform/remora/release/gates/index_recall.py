"""Gate: does the index find what exact search over the bundle's own item vectors finds?"""

from __future__ import annotations

from dataclasses import dataclass

from remora.release.gates.verdict import Check, GateVerdict, verdict_of
from remora.settings import GatesSettings

GATE = "index_recall"


@dataclass(frozen=True, kw_only=True)
class IndexRecall:
    """Mean share of the exact ``k`` best of ``items`` that the index finds, over vectors of users."""

    recall: float
    k: int
    questions: int
    items: int
    kind: str


def decide(evidence: IndexRecall, bounds: GatesSettings) -> GateVerdict:
    """Passed for a recall of at least the bound."""
    what = f"Recall@{evidence.k} of the index ({evidence.kind}) against the bundle's own item vectors"
    check = Check(what=what, measured=evidence.recall, bound=bounds.min_index_recall, unit="", at_most=False)
    return verdict_of(GATE, [check], evidence)
