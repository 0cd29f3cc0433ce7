"""EASE: the best linear item-item model without self-similarity, in closed form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import scipy.linalg
import scipy.sparse as sp
from pydantic import Field

from remora.extensions import ComponentConfig
from remora.retrieval.linear.model import Scores

if TYPE_CHECKING:
    from remora.retrieval.interaction_histories import Histories


@dataclass(frozen=True, kw_only=True)
class Ease:
    """Weights (items, items) with an empty diagonal.

    Steck, "Embarrassingly shallow autoencoders for sparse data" (WWW 2019). Needs the items' Gram matrix in memory: 4
    bytes × items², twice while it is inverted.
    """

    class Config(ComponentConfig):
        """The settings of the model."""

        ridge: float = Field(300.0, gt=0, le=1e12, description="penalty on squared weights")

    weights: Scores

    @classmethod
    def learn(cls, histories: Histories, config: Config) -> Ease:
        """See :class:`~remora.retrieval.linear.model.LinearModel`."""
        return cls.fit(histories.matrix(), ridge=config.ridge)

    @classmethod
    def step_decay(cls, config: Config) -> float:
        """See :class:`~remora.retrieval.linear.model.LinearModel`."""
        return 1.0

    @classmethod
    def fit(cls, matrix: sp.csr_array, *, ridge: float) -> Ease:
        """From users' items (users, items); ``ridge`` is the penalty on squared weights, above 0."""
        gram = (matrix.T @ matrix).toarray().astype(np.float32)
        inverse = inverted(gram, ridge)
        diagonal = np.diagonal(inverse).copy()
        inverse /= -diagonal
        np.fill_diagonal(inverse, 0.0)
        return cls(weights=inverse)

    def scores(self, history: sp.csr_array) -> Scores:
        """Scores (n, items) float32 of histories (n, items)."""
        return np.asarray(history @ self.weights, np.float32)


def inverted(gram: Scores, ridge: float) -> Scores:
    """The inverse of a positive semi-definite matrix plus ``ridge`` on its diagonal.

    ``gram`` (items, items) float32 is overwritten. LinAlgError when the sum is not positive definite.
    """
    gram[np.diag_indices_from(gram)] += np.float32(ridge)
    # Cholesky: half the work of a general inverse. The transpose, equal as the matrix is symmetric, is in
    # the column order that LAPACK overwrites without a copy.
    factor, info = scipy.linalg.lapack.spotrf(gram.T, lower=False, overwrite_a=True)
    if info:
        raise np.linalg.LinAlgError(
            f"The Gram matrix is not positive definite (pivot {info}); raise the ridge ({ridge})."
        )
    inverse, _ = scipy.linalg.lapack.spotri(factor, lower=False, overwrite_c=True)
    # LAPACK fills one triangle alone.
    upper = np.triu(inverse)
    return np.ascontiguousarray(upper + np.triu(upper, 1).T)
