"""Which members a data set gets, and of what size: rules on its shape, the same for every data set."""

from __future__ import annotations

from dataclasses import dataclass

from remora.retrieval.interaction_histories import Histories
from remora.retrieval.sequential_tower import SequenceSpec
from remora.settings.components import HistoryEncoderChoice, LossChoice

GRAM_ITEMS = 20_000
"""Most items whose Gram matrix is inverted: 20,000² × 4 bytes are 1.6 GB, twice while it is inverted."""

WHOLE_ITEMS = 5_000
"""Most items that every place is compared with; more are sampled. On a CPU both cost the same at about 3,500."""

DENSE_LENGTH = 30.0
"""Mean history from which a data set counts as dense."""


@dataclass(frozen=True, kw_only=True)
class SequencePlan:
    """A tower, how it is trained, and whether linear models stand beside it.

    ``again_epochs`` of a second course that adds what was held out for validation, at ``again_rate`` of the learning
    rate; zero of them leave the tower as validation found it.
    """

    spec: SequenceSpec
    batch_users: int
    learning_rate: float
    loss: LossChoice
    negatives: int
    epochs: int
    patience: int
    again_epochs: int
    again_rate: float
    linear: bool


def plan_sequences(train: Histories) -> SequencePlan:
    """From the catalogue's size and the length of histories.

    Short histories over-fit: they get more dropout and cosine scores, whose temperature keeps rare items apart. Long
    ones get a longer window and plain products. The whole catalogue is the denominator where it is small
    enough that drawing negatives would save little.
    """
    mean = float(train.lengths.mean())
    dense = mean >= DENSE_LENGTH
    spec = SequenceSpec(
        items=train.items,
        dimension=64,
        encoder=HistoryEncoderChoice.model_validate(
            {"type": "causal_transformer", "layers": 2, "heads": 2, "dropout": 0.2 if dense else 0.4}
        ),
        length=200 if dense else 50,
        temperature=None if dense else 0.07,
    )
    small = train.items <= WHOLE_ITEMS
    return SequencePlan(
        spec=spec,
        batch_users=64 if dense else 256,
        learning_rate=2e-3,
        loss=LossChoice.model_validate("full_cross_entropy" if small else "sampled_softmax"),
        negatives=0 if small else min(2_048, train.items // 3),
        epochs=60,
        patience=6,
        again_epochs=16,
        again_rate=1.0,
        linear=train.items <= GRAM_ITEMS,
    )


@dataclass(frozen=True, kw_only=True)
class PairPlan:
    """A graph filter's rank, the tables, and how they are trained; ``judged`` bounds the users of validation."""

    rank: int
    dimension: int
    temperature: float
    batch_size: int
    learning_rate: float
    negatives: int
    epochs: int
    patience: int
    judged: int


def plan_pairs(users: int, items: int, pairs: int) -> PairPlan:
    """From the counts alone: more pairs pay for more directions; epochs are fewer where each has more steps."""
    smaller = min(users, items)
    return PairPlan(
        rank=max(1, min(700, smaller // 4)),
        dimension=min(128, max(8, smaller // 16)),
        temperature=0.1,
        batch_size=2_048,
        learning_rate=3e-3,
        negatives=min(1_024, max(16, items // 4)),
        epochs=max(10, min(60, 25_000_000 // max(1, pairs))),
        patience=4,
        judged=max(300, min(3_000, 100_000_000 // max(1, items))),
    )
