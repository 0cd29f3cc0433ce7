"""The metrics that the settings choose."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from remora.evaluation.metrics.metric import Metric
from remora.settings import MetricChoice

if TYPE_CHECKING:  # what reads settings imports this package, and the statistics import SciPy
    from remora.evaluation.item_statistics import ItemStatistics


def metrics_at(
    cutoffs: Iterable[int], items: ItemStatistics, chosen: Iterable[MetricChoice]
) -> tuple[Metric[Any], ...]:
    """Every chosen metric at every cutoff; ``items`` as they were when the evaluated window began."""
    choices = tuple(chosen)
    return tuple(choice.component.cls.at(k, items, choice.config) for k in cutoffs for choice in choices)


def metric_titles(chosen: Iterable[MetricChoice]) -> dict[str, str]:
    """The heading of each chosen metric, by its name."""
    classes = (choice.component.cls for choice in chosen)
    return {metric.name: metric.title or metric.name.replace("_", " ") for metric in classes}
