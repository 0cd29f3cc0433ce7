"""Stage protocols and the runner: what a request for recommendations is, and how its stages are run."""

from remora.pipeline.candidates import EMPTY, Candidates, Retrieved
from remora.pipeline.context import Items, StageContext
from remora.pipeline.degradation import Degradation
from remora.pipeline.feature_rows import FeatureRows
from remora.pipeline.query import Query
from remora.pipeline.runner import Pipeline
from remora.pipeline.scored_candidates import ScoredCandidates
from remora.pipeline.slate import Slate
from remora.pipeline.stages import (
    Backfill,
    Filter,
    Hydrator,
    Mask,
    PredictingScorer,
    Reranker,
    Scorer,
    Scores,
    Source,
)
from remora.pipeline.state import PipelineState

__all__ = [
    "EMPTY",
    "Backfill",
    "Candidates",
    "Degradation",
    "FeatureRows",
    "Filter",
    "Hydrator",
    "Items",
    "Mask",
    "Pipeline",
    "PipelineState",
    "PredictingScorer",
    "Query",
    "Reranker",
    "Retrieved",
    "ScoredCandidates",
    "Scorer",
    "Scores",
    "Slate",
    "Source",
    "StageContext",
]
