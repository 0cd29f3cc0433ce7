"""Who had what without order, as a model that sources read: matrix factorization."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from remora.retrieval.models.trained_vectors import TrainedVectors, TrainingConfig
from remora.settings.components import LossChoice

if TYPE_CHECKING:  # settings import the components that they name
    from pathlib import Path

    import numpy.typing as npt

    from remora.pipeline.candidates import Floats
    from remora.retrieval.models.training import TrainingData, TrainingSplit
    from remora.retrieval.training_inputs import PairValidation

HELD_SHARE = 0.2
"""Of the items of a held-out user."""


@dataclass(frozen=True, kw_only=True)
class Factors(TrainedVectors):
    """Matrix factorization: a user's vector is fitted to the items of the request's history.

    The vectors of users that training made are of the past, so they are not kept. That of a history S is the ridge
    regression, with an intercept, of "was the item had?" on the vectors v of all n items,
    ``(C + r I)^-1 (mean of v over S - mean of v)`` with their covariance C: the direction in which a softmax over all
    items, which is what is trained, is best to the second order around even chances. Vectors have unit length, so a
    score is a cosine.
    """

    class Config(TrainingConfig):
        """The settings of the model."""

        learning_rate: float = Field(3e-3, gt=0, le=10, description="of Adam")
        temperature: float = Field(0.1, ge=0.001, le=100, description="that cosines are divided by in the loss")
        loss: LossChoice = Field(
            "sampled_softmax",  # type: ignore[assignment]
            validate_default=True,
            description="what is minimized; full_cross_entropy compares with the whole catalogue, not with negatives",
        )
        batch_size: int = Field(2_048, ge=1, le=10_000_000, description="pairs of all workers together")
        ridge: float = Field(
            1.0, gt=0, le=1e9, description="of a user's fit, in mean variances of a direction; more is the plain mean"
        )

    ridge: float

    @classmethod
    def train(cls, config: Config, data: TrainingData) -> Factors:
        """See :class:`~remora.retrieval.models.training.TrainedModel`; from the smoothest directions of the graph of
        users and items on. The last fifth of a held-out user's items validates."""
        from remora.retrieval.linear.graph_filter import GraphFilter
        from remora.retrieval.matrix_factorization import PairSpec
        from remora.retrieval.models.item_vectors import ItemVectors
        from remora.retrieval.training_inputs import PairInputs, PairSchedule

        split = data.split(user_fraction=config.validation_user_fraction, seed=config.seed, share=HELD_SHARE)
        graph = GraphFilter.fit(split.train.matrix(), rank=config.dimension, low_pass=0.0, sharpening=0.0)
        users, dimension = len(split.train), graph.basis.shape[1]
        tower = data.networks.pairs(
            PairInputs(
                spec=PairSpec(users=users, items=len(split.rows), dimension=dimension, temperature=config.temperature),
                train=split.train,
                validation=_validation(split),
                start=(np.asarray(graph.graph @ graph.basis, np.float32), graph.basis),
            ),
            PairSchedule(
                epochs=config.epochs,
                batch_size=config.batch_size,
                learning_rate=config.learning_rate,
                loss=config.loss,
                negatives=config.negatives,
                popularity=0.0,
                patience=config.patience,
                seconds=None,
                seed=config.seed,
            ),
        )
        items = ItemVectors.build(split.rows, tower.item_vectors(), tower.user_vectors()[:200])
        return cls(items=items, ridge=config.ridge)

    def encode(self, history: npt.NDArray[np.int64]) -> Floats:
        """See :class:`~remora.retrieval.models.trained_vectors.TrainedVectors`: however often and when counts for
        nothing."""
        mean, inverse = self._fit
        found = inverse @ (self.items.vectors[np.unique(history)].mean(axis=0) - mean)
        return (found / max(float(np.linalg.norm(found)), 1e-12)).astype(np.float32)

    @cached_property
    def _fit(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """The mean (d,) of the items' vectors, and the inverse (d, d) of their covariance with the ridge."""
        vectors = self.items.vectors
        mean = vectors.mean(axis=0, dtype=np.float64)
        covariance = (vectors.T @ vectors) / len(vectors) - np.outer(mean, mean)
        width = len(covariance)
        inverse = np.linalg.inv(covariance + max(self.ridge * np.trace(covariance) / width, 1e-9) * np.eye(width))
        return mean, inverse

    def save(self, folder: Path) -> None:
        """Write the vectors with their index."""
        self.items.save(folder)

    @classmethod
    def load(cls, config: Config, folder: Path) -> Factors:
        """What :meth:`save` wrote."""
        from remora.retrieval.models.item_vectors import ItemVectors

        return cls(items=ItemVectors.load(folder), ridge=config.ridge)


def _validation(split: TrainingSplit) -> PairValidation | None:
    """The held-out users, what they had and what was held out; None without any."""
    import scipy.sparse as sp

    from remora.retrieval.training_inputs import PairValidation

    had, held = (part.chosen(split.judged).matrix() for part in (split.train, split.held))
    new = sp.csr_array(held - held.multiply(had))  # who wants something again has not found it
    new.eliminate_zeros()
    some = np.flatnonzero(np.diff(new.indptr))
    return PairValidation(users=split.judged[some], had=had[some], relevant=new[some]) if len(some) else None
