"""Linear models, by the names that settings choose from: each is fitted to histories."""

from __future__ import annotations

from collections.abc import Callable

from remora.retrieval.interaction_histories import Histories
from remora.retrieval.linear.ease import Ease
from remora.retrieval.linear.graph_filter import GraphFilter
from remora.retrieval.linear.model import LinearModel
from remora.retrieval.linear.next_item import NextItem
from remora.settings import RetrievalSettings

FUTURE_DECAY = 0.5


def _next_item(histories: Histories, chosen: RetrievalSettings) -> LinearModel:
    return NextItem.fit(
        list(histories),
        histories.items,
        past_decay=chosen.linear_decay,
        future_decay=FUTURE_DECAY,
        ridge=chosen.linear_ridge,
    )


def _ease(histories: Histories, chosen: RetrievalSettings) -> LinearModel:
    return Ease.fit(histories.matrix(), ridge=chosen.linear_ridge)


def _graph_filter(histories: Histories, chosen: RetrievalSettings) -> LinearModel:
    return GraphFilter.fit(
        histories.matrix(),
        rank=chosen.linear_rank,
        low_pass=chosen.linear_low_pass,
        sharpening=chosen.linear_sharpening,
    )


LINEAR_MODELS: dict[str, Callable[[Histories, RetrievalSettings], LinearModel]] = {
    "next_item": _next_item,
    "ease": _ease,
    "graph_filter": _graph_filter,
}
