"""One metric a file, each an entry point of the group ``remora.metrics``."""

from remora.evaluation.aggregates import Mean
from remora.evaluation.metrics.chosen import metrics_at
from remora.evaluation.metrics.coverage import Coverage
from remora.evaluation.metrics.hit_rate import HitRate
from remora.evaluation.metrics.intra_list_diversity import IntraListDiversity
from remora.evaluation.metrics.judgement import Judgement, judge
from remora.evaluation.metrics.mean_average_precision import MeanAveragePrecision
from remora.evaluation.metrics.metric import Metric, RelevanceMetric
from remora.evaluation.metrics.mrr import MRR
from remora.evaluation.metrics.ndcg import NDCG
from remora.evaluation.metrics.novelty import Novelty
from remora.evaluation.metrics.popularity_bias import PopularityBias
from remora.evaluation.metrics.recall import Recall

__all__ = [
    "MRR",
    "NDCG",
    "Coverage",
    "HitRate",
    "IntraListDiversity",
    "Judgement",
    "Mean",
    "MeanAveragePrecision",
    "Metric",
    "Novelty",
    "PopularityBias",
    "Recall",
    "RelevanceMetric",
    "judge",
    "metrics_at",
]
