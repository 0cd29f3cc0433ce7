"""One metric a file; ``table.METRICS`` lists them."""

from remora.evaluation.metrics.coverage import Coverage
from remora.evaluation.metrics.hit_rate import HitRate
from remora.evaluation.metrics.intra_list_diversity import IntraListDiversity
from remora.evaluation.metrics.judgement import Judgement, judge
from remora.evaluation.metrics.mean_average_precision import MeanAveragePrecision
from remora.evaluation.metrics.metric import Metric
from remora.evaluation.metrics.mrr import MRR
from remora.evaluation.metrics.ndcg import NDCG
from remora.evaluation.metrics.novelty import Novelty
from remora.evaluation.metrics.popularity_bias import PopularityBias
from remora.evaluation.metrics.recall import Recall
from remora.evaluation.metrics.table import METRICS, metrics_at

__all__ = [
    "METRICS",
    "MRR",
    "NDCG",
    "Coverage",
    "HitRate",
    "IntraListDiversity",
    "Judgement",
    "MeanAveragePrecision",
    "Metric",
    "Novelty",
    "PopularityBias",
    "Recall",
    "judge",
    "metrics_at",
]
