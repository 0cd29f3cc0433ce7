"""The table of metrics: one line a metric."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from remora.evaluation.item_statistics import ItemStatistics
from remora.evaluation.metrics.coverage import Coverage
from remora.evaluation.metrics.hit_rate import HitRate
from remora.evaluation.metrics.intra_list_diversity import IntraListDiversity
from remora.evaluation.metrics.mean_average_precision import MeanAveragePrecision
from remora.evaluation.metrics.metric import Metric
from remora.evaluation.metrics.mrr import MRR
from remora.evaluation.metrics.ndcg import NDCG
from remora.evaluation.metrics.novelty import Novelty
from remora.evaluation.metrics.popularity_bias import PopularityBias
from remora.evaluation.metrics.recall import Recall

METRICS: tuple[Callable[[int, ItemStatistics], Metric[Any]], ...] = (
    lambda k, _: NDCG(k=k),
    lambda k, _: Recall(k=k),
    lambda k, _: MRR(k=k),
    lambda k, _: MeanAveragePrecision(k=k),
    lambda k, _: HitRate(k=k),
    lambda k, items: Coverage(k=k, items=len(items)),
    lambda k, items: Novelty(k=k, information=items.information),
    lambda k, items: IntraListDiversity(k=k, categories=items.categories),
    lambda k, items: PopularityBias(k=k, percentile=items.percentile),
)


def metrics_at(cutoffs: Iterable[int], catalogue: ItemStatistics) -> tuple[Metric[Any], ...]:
    """Every metric at every cutoff."""
    return tuple(make(k, catalogue) for k in cutoffs for make in METRICS)
