"""Remora's metrics keep the promises of their kind."""

from __future__ import annotations

from remora.evaluation.metrics import (
    MRR,
    NDCG,
    Coverage,
    HitRate,
    IntraListDiversity,
    MeanAveragePrecision,
    Novelty,
    PopularityBias,
    Recall,
)
from remora.testing.metrics import MetricContract


class TestNDCG(MetricContract):
    component = NDCG


class TestRecall(MetricContract):
    component = Recall


class TestMRR(MetricContract):
    component = MRR


class TestMeanAveragePrecision(MetricContract):
    component = MeanAveragePrecision


class TestHitRate(MetricContract):
    component = HitRate


class TestCoverage(MetricContract):
    component = Coverage


class TestNovelty(MetricContract):
    component = Novelty


class TestIntraListDiversity(MetricContract):
    component = IntraListDiversity


class TestPopularityBias(MetricContract):
    component = PopularityBias
