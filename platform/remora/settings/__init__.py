"""One frozen settings tree, read from one YAML file; nothing here knows any other part of Remora."""

from remora.settings.bundle import BundleSettings
from remora.settings.components import LinearModelChoice, MetricChoice
from remora.settings.data import DataSettings, EventTypeSettings, SourceSettings
from remora.settings.features import FeatureSettings
from remora.settings.gates import GatesSettings, MetricBound
from remora.settings.load import ACTIVE, activate, load
from remora.settings.ranking import ObjectiveSettings, RankingSettings
from remora.settings.registry import RegistrySettings
from remora.settings.retraining import RetrainingSettings
from remora.settings.retrieval import RetrievalSettings
from remora.settings.rollout import MarginSettings, RolloutSettings
from remora.settings.surfaces import SurfaceSettings, SurfacesSettings
from remora.settings.tree import (
    ClusterSettings,
    EvaluationSettings,
    ServingSettings,
    Settings,
    SplitSettings,
)

__all__ = [
    "ACTIVE",
    "BundleSettings",
    "ClusterSettings",
    "DataSettings",
    "EvaluationSettings",
    "EventTypeSettings",
    "FeatureSettings",
    "GatesSettings",
    "LinearModelChoice",
    "MarginSettings",
    "MetricBound",
    "MetricChoice",
    "ObjectiveSettings",
    "RankingSettings",
    "RegistrySettings",
    "RetrainingSettings",
    "RetrievalSettings",
    "RolloutSettings",
    "ServingSettings",
    "Settings",
    "SourceSettings",
    "SplitSettings",
    "SurfaceSettings",
    "SurfacesSettings",
    "activate",
    "load",
]
