"""Items that a linear model gives for what the user wanted lately."""

from __future__ import annotations

from dataclasses import dataclass

from remora.retrieval.sources.from_history import FromHistory


@dataclass(frozen=True, kw_only=True)
class Linear(FromHistory):
    """The model's scores are sums over the history, so its item-item lists are all that serving needs.

    ``decay`` is the model's own decay, 1 where order does not matter to it.
    """
