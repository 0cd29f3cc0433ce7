"""A linear model of what comes next: EASE for sequences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import exp
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from pydantic import Field

from remora.extensions import ComponentConfig
from remora.retrieval.linear.ease import inverted
from remora.retrieval.linear.model import Scores

if TYPE_CHECKING:
    from remora.retrieval.interaction_histories import Histories

Items = npt.NDArray[np.integer[Any]]

EVENTS_AT_A_TIME = 200_000


@dataclass(frozen=True, kw_only=True)
class NextItem:
    """Ridge regression of the next items on the recent ones, both weighted by how near they are.

    Choi et al., "Session-aware linear item-item models" (WWW 2021): with rows x of decayed pasts and y of decayed
    futures, weights are (X'X + ridge)^-1 X'Y. Memory as of EASE.
    """

    class Config(ComponentConfig):
        """The settings of the model."""

        past_decay: float = Field(4.0, gt=0, le=1e6, description="positions after which a past item weighs 1/e")
        future_decay: float = Field(0.5, gt=0, le=1e6, description="the same of the items that follow")
        ridge: float = Field(300.0, gt=0, le=1e12, description="penalty on squared weights")

    weights: Scores
    past_decay: float

    @classmethod
    def learn(cls, histories: Histories, config: Config) -> NextItem:
        """See :class:`~remora.retrieval.linear.model.LinearModel`."""
        return cls.fit(
            list(histories),
            histories.items,
            past_decay=config.past_decay,
            future_decay=config.future_decay,
            ridge=config.ridge,
        )

    @classmethod
    def step_decay(cls, config: Config) -> float:
        """See :class:`~remora.retrieval.linear.model.LinearModel`."""
        return exp(-1 / config.past_decay)

    @classmethod
    def fit(
        cls, histories: Sequence[Items], items: int, *, past_decay: float, future_decay: float, ridge: float
    ) -> NextItem:
        """From users' items in order. Decays are positions after which a weight has fallen to 1/e."""
        gram = sp.csr_array((items, items), dtype=np.float32)
        target = sp.csr_array((items, items), dtype=np.float32)  # sparse, so its product costs little
        for some in _in_blocks(histories, EVENTS_AT_A_TIME):
            past, future = decayed(some, items, past_decay, future_decay)
            gram, target = gram + past.T @ past, target + future.T @ past
        weights = (target @ inverted(gram.toarray(), ridge)).T
        return cls(weights=np.ascontiguousarray(weights), past_decay=past_decay)

    def scores(self, history: sp.csr_array) -> Scores:
        """Scores (n, items) of histories from :func:`recent`."""
        return np.asarray(history @ self.weights, np.float32)


def _in_blocks(histories: Sequence[Items], events: int) -> Iterator[Sequence[Items]]:
    """Whole histories, about so many events at a time: each event stands in as many rows as its weight reaches."""
    block = np.cumsum([len(h) for h in histories]) // events
    for begin, end in pairwise([0, *(np.flatnonzero(np.diff(block)) + 1), len(histories)]):
        yield histories[begin:end]


def recent(histories: Sequence[Items], items: int, decay: float) -> sp.csr_array:
    """Histories (n, items), the last item weighs 1, each earlier place e^(-1/decay) of the next."""
    lengths = np.array([len(h) for h in histories], np.int64)
    users = np.repeat(np.arange(len(histories)), lengths)
    ends = np.cumsum(lengths)
    back = np.repeat(ends, lengths) - 1 - np.arange(lengths.sum())
    columns = np.concatenate([np.asarray(h, np.int64) for h in histories]) if len(histories) else np.empty(0, np.int64)
    weights = np.exp(-back / decay).astype(np.float32)
    # What weighs less hardly changes a score, and would fill the matrix.
    keep = weights > 1e-3
    return sp.csr_array((weights[keep], (users[keep], columns[keep])), shape=(len(histories), items))


def decayed(
    histories: Sequence[Items], items: int, past_decay: float, future_decay: float
) -> tuple[sp.csr_array, sp.csr_array]:
    """One row for each place but the first: what stood before it and what stands from it on, by nearness."""
    sides: list[sp.csr_array] = []
    lengths = np.array([len(h) for h in histories], np.int64)
    flat = np.concatenate([np.asarray(h, np.int64) for h in histories])
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    inner = np.arange(len(flat)) - np.repeat(starts, lengths)  # place within its user
    size = np.repeat(lengths, lengths)
    rows = np.flatnonzero(inner > 0)
    row_of = np.full(len(flat), -1, np.int64)
    row_of[rows] = np.arange(len(rows))
    for side, decay in ((-1, past_decay), (1, future_decay)):
        reach = max(1, int(np.ceil(decay * np.log(1e3))))
        parts = []
        for apart in range(reach):
            other = inner[rows] - 1 - apart if side < 0 else inner[rows] + apart
            inside = (other >= 0) & (other < size[rows])
            at = rows[inside] + (other - inner[rows])[inside]
            parts.append(
                (row_of[rows[inside]], flat[at], np.full(int(inside.sum()), np.exp(-apart / decay), np.float32))
            )
        row, column, weight = (np.concatenate(x) for x in zip(*parts, strict=True))
        sides.append(sp.csr_array((weight, (row, column)), shape=(len(rows), items)))
    return sides[0], sides[1]
