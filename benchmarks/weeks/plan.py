"""How large the world is, and by what its home is trained: the measured edition, and a small one for a test."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

from remora.settings import Settings
from remora.simulation.tables import proposed_settings
from remora.simulation.world_settings import WorldSettings

START = date(2026, 1, 5)


@dataclass(frozen=True, kw_only=True)
class WeeksPlan:
    """``past_days`` of the logging policy, then ``weeks`` of ``days_of_week``; ``training`` are settings by section."""

    world: WorldSettings
    past_days: int
    weeks: int = 3
    days_of_week: int = 7
    training: dict[str, Any] = field(default_factory=dict)

    @property
    def weeks_from(self) -> range:
        """The days with which weeks begin."""
        return range(self.past_days, self.end, self.days_of_week)

    @property
    def end(self) -> int:
        """The day behind the last week."""
        return self.past_days + self.weeks * self.days_of_week

    def with_seed(self, seed: int) -> WeeksPlan:
        """The same with another world."""
        return replace(self, world=self.world.model_copy(update={"seed": seed}))

    def settings(self, tables: Path, home: Path) -> Settings:
        """Of a home over the world's tables."""
        proposed = proposed_settings(tables, self.world, impressions=False)
        sections = {**proposed, **self.training, "home": str(home)}
        for name in proposed.keys() & self.training.keys():
            if isinstance(proposed[name], dict):
                sections[name] = {**proposed[name], **self.training[name]}
        return Settings(**sections)


RELEASE: dict[str, Any] = {
    "retraining": {"on_success": "candidate"},
    # A canary of half of some hundred users for a day: what it can show, it shows by then.
    "rollout": {
        "min_requests": 50,
        "min_users": 20,
        "bake_seconds": 600.0,
        # Milliseconds of cores that other work shares say nothing of a bundle.
        "margins": {"latency": 0.99, "deadline_exceeded": 0.99},
    },
    "events": {"log_features_share": 0.1},
}

MEASURED = WeeksPlan(
    world=WorldSettings(
        seed=1,
        start=START,
        users=400,
        items=500,
        visits_per_day=0.25,
        arrivals_per_day=2.0,
        perishable_fraction=0.1,
        shelf_life_days=20.0,
    ),
    past_days=42,
    training=RELEASE
    | {
        "features": {"partitions": 1},
        "retrieval": {"epochs": 3, "dimension": 32, "workers": 1},
        "ranking": {"models": {"trees": {"num_boost_round": 60}}, "workers": 1},
        "evaluation": {"bootstrap_samples": 100, "cold_start_holdout_fraction": 0},
        "gates": {
            "max_queries": 500,
            "requests": 100,
            "latency_rounds": 1,
            # Milliseconds of cores that other work shares say nothing of a bundle.
            "max_latency_fraction": 100.0,
            "max_latency_ratio": 1e3,
            # Each bundle's error is that of its own test window. The first one's has slates of the logging policy, the
            # next one's those of the first bundle, so their difference is not the bundles' own. The bound itself holds.
            "calibration_margin": 0.05,
        },
    },
)
"""Sizes were chosen by how long a run takes, the gates on another seed, before any week of this one was looked at."""

LENIENT: dict[str, Any] = {
    "offline": [{"metric": "ndcg", "margin": 1.0}],
    "calibration_error": 1e3,
    "calibration_margin": 1e3,
    "min_coverage": 0.0,
    "min_coverage_ratio": 0.0,
    "max_latency_fraction": 100.0,
    "max_latency_ratio": 1e3,
    "max_memory_ratio": 1e3,
    "min_index_recall": 0.1,
    "requests": 10,
    "max_queries": 50,
    "parity_users": 5,
    "latency_rounds": 1,
}

NO_HARM = dict.fromkeys(("latency", "deadline_exceeded", "degraded", "unscored", "rewards"), 0.99)

SMALL = WeeksPlan(
    world=WorldSettings(
        seed=2, start=START, users=60, items=80, visits_per_day=0.4, arrivals_per_day=0.5, perishable_fraction=0.1
    ),
    past_days=21,
    weeks=2,
    days_of_week=3,
    training=RELEASE
    | {
        "rollout": {"min_requests": 1, "min_users": 2, "margins": NO_HARM},
        "events": {"log_features_share": 1.0},
        "features": {"partitions": 1},
        "retrieval": {"epochs": 1, "dimension": 8, "workers": 1},
        "ranking": {"models": {"trees": {"num_boost_round": 5}}, "workers": 1, "refit": False},
        "evaluation": {"bootstrap_samples": 20, "cold_start_holdout_fraction": 0},
        "gates": LENIENT,
    },
)
"""Of the same shape; its models are worth nothing, and every bundle of it may come into production."""
