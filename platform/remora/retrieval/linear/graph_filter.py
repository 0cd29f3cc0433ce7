"""Graph filters: a user's items, smoothed over the graph of users and items, in closed form."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from pydantic import Field

from remora.extensions import ComponentConfig
from remora.retrieval.linear.model import Scores

if TYPE_CHECKING:
    from remora.retrieval.interaction_histories import Histories


@dataclass(frozen=True, kw_only=True)
class GraphFilter:
    """A user's items r become blur(r) + ``low_pass`` · ideal(r), sharpened.

    With the normalised graph G (users, items), blur is r·G'G; ideal is the projection on the items' ``rank`` smoothest
    directions (GF-CF: Shen et al., CIKM 2021), and sharpening takes away what would diffuse further in ``sharpening``
    units of time (BSPM: Choi et al., SIGIR 2023), here e^(-t·G'G) to its fourth order, which one step of Runge-Kutta
    gives. Normalising by degrees to the powers ``user_power`` and ``item_power`` follows Peng et al. (SIGIR 2024).
    """

    class Config(ComponentConfig):
        """The settings of the model."""

        rank: int = Field(256, ge=1, le=100_000, description="smoothest directions that it keeps")
        low_pass: float = Field(0.2, ge=0, le=1e6, description="how much those directions count")
        sharpening: float = Field(1.5, ge=0, le=1e6, description="0 is GF-CF, more is BSPM")

    graph: sp.csr_array  # (users, items), normalised
    scale: npt.NDArray[np.float32]  # (items,) to the power that makes the ideal filter symmetric
    basis: npt.NDArray[np.float32]  # (items, rank)
    low_pass: float
    sharpening: float

    @classmethod
    def learn(cls, histories: Histories, config: Config) -> GraphFilter:
        """See :class:`~remora.retrieval.linear.model.LinearModel`."""
        return cls.fit(histories.matrix(), rank=config.rank, low_pass=config.low_pass, sharpening=config.sharpening)

    @classmethod
    def step_decay(cls, config: Config) -> float:
        """See :class:`~remora.retrieval.linear.model.LinearModel`."""
        return 1.0

    @classmethod
    def fit(
        cls,
        matrix: sp.csr_array,
        *,
        rank: int,
        low_pass: float,
        sharpening: float,
        user_power: float = 0.5,
        item_power: float = 0.5,
        seed: int = 7,
    ) -> GraphFilter:
        """From users' items (users, items); the work is one truncated SVD."""
        users, items = (np.asarray(matrix.sum(axis=a)).ravel() for a in (1, 0))
        graph = sp.diags_array(_power(users, -user_power)) @ matrix @ sp.diags_array(_power(items, -item_power))
        graph = sp.csr_array(graph).astype(np.float32)
        return cls(
            graph=graph,
            scale=_power(items, item_power),
            basis=smoothest(graph, min(rank, *matrix.shape), seed),
            low_pass=low_pass,
            sharpening=sharpening,
        )

    def scores(self, history: sp.csr_array) -> Scores:
        """Scores (n, items) float32 of histories (n, items)."""
        out = self._blurred(history.T.toarray().astype(np.float32))
        if self.low_pass:
            inverse = np.divide(1.0, self.scale, out=np.zeros_like(self.scale), where=self.scale > 0)
            inside = (history.multiply(inverse[None, :]).tocsr() @ self.basis).T
            out += (np.float32(self.low_pass) * self.scale[:, None] * self.basis) @ inside
        term = out
        for order in range(1, 5 if self.sharpening else 1):
            term = self._blurred(term)
            # The next term of the exponential's series: dividing by each order makes the factorial.
            term *= np.float32(-self.sharpening / order)
            out = out + term
        return np.ascontiguousarray(out.T, np.float32)

    def _blurred(self, scores: Scores) -> Scores:
        """Of scores (items, n): users are columns here, so that the sparse products read memory in order."""
        return np.asarray(self._back @ (self.graph @ scores), np.float32)

    @cached_property
    def _back(self) -> sp.csr_array:
        return sp.csr_array(self.graph.T.tocsr())


def smoothest(graph: sp.csr_array, rank: int, seed: int) -> npt.NDArray[np.float32]:
    """The right singular vectors (items, rank) of the largest singular values, by randomised subspace iteration.

    Halko, Martinsson and Tropp (SIAM Review, 2011), algorithm 4.4 with four power iterations.
    """
    draw = np.random.default_rng(seed)
    block = draw.standard_normal((graph.shape[1], min(rank + 32, *graph.shape)), dtype=np.float32)
    for _ in range(4):
        # Orthonormal after each step: the columns would all turn towards the largest direction otherwise.
        block = np.linalg.qr(graph.T @ (graph @ block))[0]
    _, _, right = np.linalg.svd(graph @ block, full_matrices=False)
    return np.ascontiguousarray((block @ right.T)[:, :rank], np.float32)


def _power(degrees: npt.NDArray[np.float64], power: float) -> npt.NDArray[np.float32]:
    with np.errstate(divide="ignore"):
        return np.where(degrees > 0, np.power(degrees.astype(np.float64), power), 0.0).astype(np.float32)
