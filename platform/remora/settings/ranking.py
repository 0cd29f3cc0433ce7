"""The ranker's settings: what it predicts, its models, and the rows that they learn from."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, model_validator

from remora.contracts.section import Section
from remora.settings.bounds import Seed
from remora.settings.data import EventTypeSettings

Calibration = Literal["platt", "temperature", "isotonic"]


class ObjectiveSettings(Section):
    """One thing that showing an item may lead to, how it is predicted, and what it is worth."""

    events: tuple[str, ...] = Field(min_length=1, description="event types that it is made of")
    label: Literal["occurs", "repeats", "value"] = Field(
        "occurs", description="one of the events follows; it follows at two moments; the sum of the events' values"
    )
    loss: Literal["listwise", "pointwise"] = Field(
        "listwise", description="listwise learns the order within a slate, pointwise each candidate for itself"
    )
    weight: float = Field(1.0, ge=0, le=1e9, description="a slate is ordered by the sum of weight x prediction")
    calibration: Calibration | None = Field(None, description="default platt, and isotonic for values")

    @property
    def calibrated_by(self) -> Calibration:
        """The way that was asked for, or the one that fits the label."""
        return self.calibration or ("isotonic" if self.label == "value" else "platt")

    @model_validator(mode="after")
    def _values_have_no_odds(self) -> ObjectiveSettings:
        if self.label == "value" and self.calibration not in (None, "isotonic"):
            raise ValueError(f"calibration {self.calibration} gives probabilities, and label value has none: isotonic")
        return self


class TreeSettings(Section):
    """XGBoost, one model for each objective."""

    num_boost_round: int = Field(400, ge=1, le=100_000, description="most trees of an objective")
    early_stopping_rounds: int = Field(
        30, ge=1, le=100_000, description="rounds without a better validation after which training ends"
    )
    max_depth: int = Field(5, ge=1, le=30, description="levels of a tree")
    learning_rate: float = Field(0.06, gt=0, le=10, description="what each tree's answer is multiplied by")
    min_child_weight: float = Field(0.1, ge=0, le=1e9, description="least sum of hessians in a leaf")
    subsample: float = Field(0.8, gt=0, le=1, description="share of rows that a tree learns from")
    colsample_bytree: float = Field(0.6, gt=0, le=1, description="share of features that a tree may use")
    pair_method: Literal["topk", "mean"] = Field("topk", description="how LambdaMART forms pairs of a listwise head")
    pairs_per_sample: int = Field(
        20, ge=1, le=10_000, description="topk: depth of the list; mean: pairs of each candidate"
    )
    position_debiasing: bool = Field(
        False, description="estimate how position moves clicks (unbiased LambdaMART); needs candidates: logged"
    )
    categorical: bool = Field(True, description="split text features by sets of categories instead of by frequency")
    monotone_constraints: dict[str, Literal[-1, 1]] = Field(
        {}, description="feature -> 1 where more of it may only raise a score, -1 where only lower it"
    )


class NetworkSettings(Section):
    """The deep ranker: one network with a head for each objective."""

    hidden_dim: int = Field(64, ge=1, le=8_192, description="of the features' projection, which the crosses keep")
    cross_layers: int = Field(2, ge=0, le=100, description="DCN-v2 cross layers")
    attention_dim: int = Field(
        32, ge=1, le=8_192, description="width of the candidate's attention over the history (DIN)"
    )
    history: int = Field(20, ge=0, le=10_000, description="most recent positive items that it reads; 0: none")
    experts: int = Field(4, ge=1, le=1_000, description="MMoE experts, which the objectives share")
    expert_width: int = Field(64, ge=1, le=8_192, description="outputs of each expert")
    dropout: float = Field(0.2, ge=0, lt=1, description="share of activations dropped in training")
    listwise_loss_weight: float = Field(
        0.8, ge=0, le=1, description="share of a listwise head's loss that compares within a slate"
    )
    learning_rate: float = Field(1e-3, gt=0, le=10, description="of AdamW")
    weight_decay: float = Field(1e-4, ge=0, le=10, description="of AdamW")
    epochs: int = Field(30, ge=1, le=10_000, description="most passes over the training slates")
    patience: int = Field(
        4, ge=1, le=10_000, description="epochs without a better validation after which training ends"
    )
    batch_queries: int = Field(32, ge=1, le=100_000, description="slates in a batch of all workers together")


class RankingDefinitions(Section):
    """What a slate is ordered by: the part of the ranking's settings that a bundle may set."""

    objectives: dict[str, ObjectiveSettings] = Field(
        {}, description="default: one for each weight of positive events, so that their sum is the expected weight"
    )
    surface: str = Field("home_feed", max_length=64, description="the surface whose candidates the ranker learns from")


class RankingSettings(RankingDefinitions):
    """The models that order candidates, and their training rows."""

    models: tuple[Literal["trees", "network"], ...] = Field(
        ("trees",), min_length=1, description="with several, their blend is chosen on validation"
    )
    candidates: Literal["retrieved", "logged"] = Field(
        "retrieved", description="learn from what retrieval would have found, or from what was shown (data.impression)"
    )
    trees: TreeSettings = TreeSettings()
    network: NetworkSettings = NetworkSettings()
    leakage_allowlist: tuple[str, ...] = Field((), description="known at the instant, however well they predict")
    refit: bool = Field(True, description="once all is chosen, learn from the validation window as well")
    negatives_per_query: int = Field(150, ge=1, le=100_000, description="retrieved and not taken, drawn evenly")
    easy_negatives_per_query: int = Field(
        0, ge=0, le=100_000, description="drawn evenly from the rest of the catalogue"
    )
    train_queries: int = Field(
        6_000, ge=1, le=1_000_000_000, description="most queries of the ranking window that models learn from"
    )
    validation_negatives: int = Field(
        200, ge=1, le=100_000, description="most candidates of a validation query that led to nothing"
    )
    validation_queries: int = Field(
        500, ge=1, le=1_000_000_000, description="most queries of the validation window, where all is chosen"
    )
    workers: int = Field(2, ge=1, le=1_000, description="Ray Train workers")
    max_failures: int = Field(2, ge=0, le=1_000, description="times that training continues after a worker died")
    seed: Seed = Field(7, description="of weights, shuffles and draws")

    @model_validator(mode="after")
    def _each_model_once(self) -> RankingSettings:
        if len(set(self.models)) < len(self.models):
            raise ValueError(f"models names one twice: {', '.join(self.models)}")
        return self

    @model_validator(mode="after")
    def _positions_are_of_what_was_shown(self) -> RankingSettings:
        if self.trees.position_debiasing and self.candidates != "logged":
            raise ValueError(
                "trees.position_debiasing needs candidates: logged, for only what was shown has a position that moved "
                "clicks"
            )
        return self


def by_weight(event_types: dict[str, EventTypeSettings]) -> dict[str, ObjectiveSettings]:
    """An objective for each distinct weight w of a positive event: an event of at least that weight follows.

    Each is worth what its weight adds to the one below, so that the sum of weight x probability is the expected largest
    weight of an item's events.

    >>> types = {"like": EventTypeSettings(weight=1.0), "watch": EventTypeSettings(weight=0.5)}
    >>> {name: objective.weight for name, objective in by_weight(types).items()}
    {'like_or_watch': 0.5, 'like': 0.5}
    """
    positive = {name: t.weight for name, t in event_types.items() if t.sign > 0 and t.weight > 0}
    found, below = {}, 0.0
    for weight in sorted(set(positive.values())):
        names = tuple(sorted(name for name in positive if positive[name] >= weight))
        name = "_or_".join(re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_") for name in names)
        found[name] = ObjectiveSettings(events=names, weight=weight - below)
        below = weight
    return found
