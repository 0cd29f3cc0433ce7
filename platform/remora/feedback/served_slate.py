"""One record of each slate that left a replica, made once and given to whoever counts, logs or compares."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from remora.pipeline import FeatureRows

logger = logging.getLogger(__name__)


class ServedItem(NamedTuple):
    """One place of a slate; ``position`` counts from 1, ``score`` is None where no scorer has an opinion.

    ``propensity``: the probability with which the item was put there, 1 where nothing is drawn, None where it is not
    known, as in a slate of the fallback chain: which one answers depends on the time.
    """

    item_id: str
    position: int
    score: float | None
    propensity: float | None
    sources: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class ServedSlate:
    """A slate as it was answered. ``user_id`` is None of an anonymous visitor; ``requested`` items were asked for;
    ``fallback``: the fallback chain made it. ``counts`` are candidates after each stage, ``timings_ms`` the time of
    each and the ``total``, of ``within_ms`` that the request had. ``predictions`` of the items, by objective, in their
    order; ``features``, what the ranker read of them, where the request is in the sample whose features are logged."""

    request_id: str
    served_at: datetime
    user_id: str | None
    surface: str
    bundle: str
    variant: str
    requested: int
    items: tuple[ServedItem, ...]
    context: Mapping[str, str | float]
    degraded: tuple[str, ...]
    fallback: bool
    counts: Mapping[str, int]
    timings_ms: Mapping[str, float]
    within_ms: float
    predictions: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    features: FeatureRows | None = None

    @property
    def total_ms(self) -> float:
        """How long the caller waited for it."""
        return self.timings_ms["total"]


SlateSink = Callable[[ServedSlate], None]
"""Takes a served slate. It is called by the event loop, after the answer: it neither waits nor computes."""


def give(slate: ServedSlate, sinks: Sequence[SlateSink]) -> None:
    """Give the slate to all of them; one that fails takes nothing from the others, and is logged."""
    for sink in sinks:
        try:
            sink(slate)
        except Exception:
            logger.exception("a served slate was not taken by %r", sink)
