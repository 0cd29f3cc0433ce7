"""The protocols of the stages. Each answers one question, takes columns and returns columns."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from remora.core.vocabulary import Vocabulary
from remora.pipeline.candidates import Candidates, Floats, Retrieved
from remora.pipeline.query import Query
from remora.pipeline.scored_candidates import ScoredCandidates

Mask = npt.NDArray[np.bool_]
Scores = Floats


class Hydrator(Protocol):
    """What is known of this user at the query's instant, and not later? NotReady leaves the query as it is."""

    def hydrate(self, query: Query) -> Query:
        """The query with what is known of ``user_found``, ``history``, ``seen``, ``user`` and ``context``; the query
        itself where nothing is."""


@runtime_checkable
class VocabularyHydrator(Protocol):
    """A hydrator that makes rows of ids, and can make them of another vocabulary."""

    def with_vocabulary(self, vocabulary: Vocabulary) -> Hydrator:
        """The same, with its connections and what it remembers of them, in rows of ``vocabulary``."""


class Source(Protocol):
    """Which items may this user want? An empty answer is an answer; NotReady skips the source."""

    def find(self, query: Query) -> Retrieved:
        """Rows and scores, best first."""


class Backfill(Protocol):
    """What may fill a slate that is short? All there is, in one order for all users."""

    def page(self, query: Query, start: int, stop: int) -> Retrieved:
        """Rows and scores of these places of the order, from 0; empty behind its end."""


class Filter(Protocol):
    """Which candidates may be shown?"""

    def allowed(self, query: Query, candidates: Candidates) -> Mask:
        """A mask of shape (n,)."""


class Scorer(Protocol):
    """How good is each candidate?"""

    def score(self, query: Query, candidates: Candidates) -> Scores:
        """Scores of shape (n,); NaN where it cannot tell."""


@runtime_checkable
class PredictingScorer(Protocol):
    """A scorer that also says what it predicts and what it read; both are logged of what is shown."""

    def predict(self, query: Query, candidates: Candidates) -> ScoredCandidates:
        """The scores that ``score`` gives, with what they are made of."""


class Reranker(Protocol):
    """In which order is the slate shown?"""

    def rerank(self, query: Query, candidates: Candidates) -> npt.NDArray[np.intp]:
        """Positions (n,) into ``candidates``, which come best score first: a permutation of 0 to n - 1."""
