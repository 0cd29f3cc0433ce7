"""One frozen settings tree, read from one YAML file; nothing here knows any other part of Remora."""

from remora.settings.data import DataSettings, EventTypeSettings, SourceSettings
from remora.settings.load import ACTIVE, activate, load
from remora.settings.ranking import NetworkSettings, ObjectiveSettings, RankingSettings, TreeSettings
from remora.settings.retraining import RetrainingSettings
from remora.settings.tree import (
    ClusterSettings,
    EvaluationSettings,
    FeatureSettings,
    RetrievalSettings,
    ServingSettings,
    Settings,
    SplitSettings,
    SurfaceSettings,
    SurfacesSettings,
)

__all__ = [
    "ACTIVE",
    "ClusterSettings",
    "DataSettings",
    "EvaluationSettings",
    "EventTypeSettings",
    "FeatureSettings",
    "NetworkSettings",
    "ObjectiveSettings",
    "RankingSettings",
    "RetrainingSettings",
    "RetrievalSettings",
    "ServingSettings",
    "Settings",
    "SourceSettings",
    "SplitSettings",
    "SurfaceSettings",
    "SurfacesSettings",
    "TreeSettings",
    "activate",
    "load",
]
