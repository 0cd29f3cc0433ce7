"""What a search may try: for each field a range or a list of values."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, model_validator

from remora.core.section import Section
from remora.settings.bounds import MOST_DAYS, Seed


class Range(Section):
    """Any number from ``low`` to ``high``; ``log``: as many of each order of magnitude. Whole ones for whole fields."""

    low: float = Field(description="smallest value")
    high: float = Field(description="largest value")
    log: bool = Field(False, description="draw the logarithm evenly")

    @model_validator(mode="after")
    def _in_order(self) -> Range:
        if self.low >= self.high:
            raise ValueError(f"low {self.low} is not below high {self.high}")
        if self.log and self.low <= 0:
            raise ValueError(f"low is {self.low}; a logarithmic range begins above 0")
        return self


class Choice(Section):
    """One of these values."""

    choices: tuple[Any, ...] = Field(min_length=1, max_length=1_000, description="the values")


def _of_retrieval() -> dict[str, Range | Choice]:
    return {
        "learning_rate": Range(low=5e-4, high=1e-2, log=True),
        "temperature": Range(low=0.05, high=0.2, log=True),
        "dimension": Choice(choices=(32, 64, 128)),
        "uniform_negatives": Choice(choices=(128, 512, 1024)),
        "id_dropout": Range(low=0.0, high=0.3),
        "history_encoder": Choice(
            choices=(
                *("attention", {"type": "mean", "dropout": 0.1}),
                {"type": "causal_transformer", "layers": 1, "dropout": 0.1},
            )
        ),
        "loss": Choice(choices=("sampled_softmax", "bilateral_softmax", "full_cross_entropy")),
    }


class TuningSettings(Section):
    """How long a search continues, how early it gives a trial up, and what it tries."""

    max_trials: int = Field(
        12, ge=1, le=100_000, description="most trials; the first is that of the settings as they are"
    )
    time_budget_minutes: float = Field(20.0, gt=0, le=MOST_DAYS * 1_440, description="after which no trial continues")
    max_concurrent_trials: int = Field(2, ge=1, le=1_000, description="trials that run at a time, on one CPU each")
    grace_period_epochs: int = Field(2, ge=1, le=10_000, description="epochs that every trial may take")
    reduction_factor: int = Field(
        3, ge=2, le=100, description="of so many trials that came as far, one continues (ASHA)"
    )
    seed: Seed = Field(7, description="of the draws of trials")
    retrieval: dict[str, Range | Choice] = Field(
        default_factory=_of_retrieval, min_length=1, description="of retrieval: field -> what may be tried"
    )
    ranking: dict[str, Annotated[dict[str, Range | Choice], Field(min_length=1)]] = Field(
        {}, description="of each of ranking.models: field -> what may be tried; default: what the model proposes"
    )
