"""How careful a rollout is: what counts as harm, how much must be seen, and how long it waits."""

from __future__ import annotations

from pydantic import Field

from remora.core.section import Section
from remora.settings.bounds import MOST_SECONDS


class MarginSettings(Section):
    """How much worse than production a candidate may be, as a difference of rates, before it is harm."""

    failed: float = Field(0.005, ge=0, lt=1, description="answers that no pipeline made")
    deadline_exceeded: float = Field(0.02, ge=0, lt=1, description="answers after the request's time")
    degraded: float = Field(0.02, ge=0, lt=1, description="answers for which a stage was skipped")
    underfilled: float = Field(
        0.01, ge=0, lt=1, description="slates with fewer items than asked for, empty ones included"
    )
    unscored: float = Field(0.01, ge=0, lt=1, description="slates with an item that the ranker did not score")
    latency: float = Field(0.05, ge=0, lt=1, description="answers slower than what was production's p99")
    rewards: float = Field(0.05, ge=0, lt=1, description="of production's rewards per exposure: a relative loss")


class RolloutSettings(Section):
    """What a rollout decides by."""

    alpha: float = Field(0.05, gt=0, lt=1, description="chance that a harmless bundle is rolled back")
    margins: MarginSettings = MarginSettings()
    min_overlap: float = Field(0.1, ge=0, lt=1, description="share of items that a shadow's slates must have in common")
    max_score_shift: float = Field(
        5.0, gt=0, le=1e6, description="of a shadow's mean score, in standard deviations of production's"
    )
    min_requests: int = Field(
        500, ge=0, le=1_000_000_000, description="that the candidate must have answered before a step ends"
    )
    min_users: int = Field(200, ge=2, le=1_000_000_000, description="on each side, before rewards are compared")
    max_wait_factor: float = Field(
        4.0, ge=1, le=1_000_000, description="times a step's duration, after which too little traffic pauses it"
    )
    load_timeout_seconds: float = Field(
        180.0, gt=0, le=MOST_SECONDS, description="in which every replica must have the candidate ready"
    )
    bake_seconds: float = Field(
        600.0, gt=0, le=MOST_SECONDS, description="how long a bundle is watched when it has become production"
    )
    poll_seconds: float = Field(2.0, gt=0, le=3_600, description="between two looks of the controller")
    missed_heartbeats: int = Field(
        5, ge=2, le=10_000, description="polls at which a heartbeat stands still, after which its replica is gone"
    )
