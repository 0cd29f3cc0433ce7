"""What a bundle must reach, and may cost, before it comes into production."""

from __future__ import annotations

from pydantic import Field, model_validator

from remora.core.section import Section
from remora.settings.bounds import MOST_MIB, MOST_SECONDS, Cutoff


class MetricBound(Section):
    """How much worse than production a candidate may be by one metric, and what it must reach in any case."""

    metric: str = Field(min_length=1, max_length=100, description="a metric of relevance in evaluation.metrics")
    cutoff: Cutoff = Field(10, description="k of the metric, in items of a slate")
    margin: float = Field(0.1, ge=0, le=1, description="share of production's mean that may be lost")
    floor: float = Field(0.0, ge=0, le=1, description="least mean, with or without production")


class GatesSettings(Section):
    """Bounds, one paragraph a gate, and how much is measured."""

    load_timeout_seconds: float = Field(
        120.0, gt=0, le=MOST_SECONDS, description="for a fresh process to load the bundle and answer once"
    )

    parity_users: int = Field(50, ge=1, le=10_000_000, description="users whose served features are computed again")
    parity_items: int = Field(5_000, ge=1, le=100_000_000, description="most items whose features are computed again")

    requests: int = Field(200, ge=1, le=1_000_000, description="sample requests that slates and latency are judged by")
    min_valid_fraction: float = Field(1.0, gt=0, le=1, description="of the requests whose slates must be without fault")

    min_index_recall: float = Field(0.95, gt=0, le=1, description="of exact search over the bundle's own item vectors")
    index_k: int = Field(100, ge=1, le=10_000, description="items of each question to the index")

    max_queries: int = Field(
        1_500, ge=1, le=100_000_000, description="most queries of the test window that are replayed"
    )
    offline: tuple[MetricBound, ...] = Field(
        (MetricBound(metric="ndcg"),), min_length=1, max_length=100, description="metrics of the home feed"
    )
    confidence_level: float = Field(0.95, gt=0, lt=1, description="of the interval of a difference")

    calibration_error: float = Field(
        0.05, gt=0, le=1e6, description="most expected error of a probability; of an amount: share of its mean"
    )
    calibration_margin: float = Field(0.02, ge=0, le=1e6, description="by which the error may exceed production's")

    min_coverage: float = Field(
        0.02, ge=0, le=1, description="distinct items shown, by the most that so many slates can show"
    )
    min_coverage_ratio: float = Field(0.8, ge=0, le=1_000, description="of the distinct items that production shows")

    latency_rounds: int = Field(3, ge=1, le=1_000, description="times that each request is asked; the fastest counts")
    max_latency_fraction: float = Field(0.5, gt=0, le=100, description="of serving.timeout_ms, for the 99th percentile")
    max_latency_ratio: float = Field(
        1.5, gt=0, le=1_000, description="of production's latency, by the median over requests"
    )

    memory_mib: float = Field(4_096.0, gt=0, le=MOST_MIB, description="that a process grows by loading the bundle")
    max_memory_ratio: float = Field(1.5, gt=0, le=1_000, description="of what production takes")
    memory_tolerance_mib: float = Field(
        64.0, ge=0, le=MOST_MIB, description="more than the ratio allows: small bundles vary"
    )

    @model_validator(mode="after")
    def _each_metric_once(self) -> GatesSettings:
        named = [f"{bound.metric}@{bound.cutoff}" for bound in self.offline]
        if twice := sorted({name for name in named if named.count(name) > 1}):
            raise ValueError(f"offline has {', '.join(twice)} twice: keep one bound for each metric and cutoff")
        return self
