"""Small real stages for tests of the runner: what they answer is given as columns."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from remora.core.errors import NotReady
from remora.core.vocabulary import ItemCodes
from remora.pipeline import Candidates, FeatureRows, Mask, Query, Retrieved, ScoredCandidates, Scores


@dataclass(frozen=True)
class Listed:
    """Finds these rows in this order."""

    rows: tuple[int, ...]

    def find(self, query: Query) -> Retrieved:
        rows = np.array(self.rows, np.int32)
        return Retrieved(rows, -np.arange(len(rows), dtype=np.float32))


@dataclass(frozen=True)
class AlsoListed(Listed):
    """A second source, with a name of its own."""


@dataclass(frozen=True)
class Everything:
    """All rows of a catalogue of n items."""

    n_items: int

    def find(self, query: Query) -> Retrieved:
        return Listed(tuple(range(self.n_items))).find(query)

    def page(self, query: Query, start: int, stop: int) -> Retrieved:
        return Retrieved(*(column[start:stop] for column in self.find(query)[:2]))


@dataclass(frozen=True)
class Forbidden:
    """Hides these rows."""

    rows: tuple[int, ...]

    def allowed(self, query: Query, candidates: Candidates) -> Mask:
        return ~np.isin(candidates.rows, np.array(self.rows, np.int32))


@dataclass(frozen=True)
class AlsoSeen:
    """Knows that the user has seen these rows, and what the hydrators before it know."""

    rows: tuple[int, ...]

    def hydrate(self, query: Query) -> Query:
        return replace(query, user_found=True, seen=np.append(query.seen, np.array(self.rows, np.int32)))


@dataclass(frozen=True)
class NotSeen:
    """Hides what the user has seen."""

    def allowed(self, query: Query, candidates: Candidates) -> Mask:
        return ~np.isin(candidates.rows, query.seen)


@dataclass(frozen=True)
class ByTable:
    """The score of each row, from a table; NaN is unscored."""

    scores: tuple[float, ...]

    def score(self, query: Query, candidates: Candidates) -> Scores:
        return np.array(self.scores, np.float32)[candidates.rows]


@dataclass(frozen=True)
class Predicting:
    """Predicts an item's row, shows the largest first, and reads the row and its square."""

    def score(self, query: Query, candidates: Candidates) -> Scores:
        return self.predict(query, candidates).scores

    def predict(self, query: Query, candidates: Candidates) -> ScoredCandidates:
        rows = candidates.rows.astype(np.float32)
        read = FeatureRows(schema="row, square", instant=query.instant, values=np.stack([rows, rows**2], axis=1))
        return ScoredCandidates(scores=rows, predictions={"row": rows.astype(np.float64)}, features=read)


@dataclass(frozen=True)
class Asleep:
    """Any stage, not ready."""

    why: str = "the index is not loaded"

    def hydrate(self, query: Query) -> Query:
        raise NotReady(self.why)

    def find(self, query: Query) -> Retrieved:
        raise NotReady(self.why)

    def page(self, query: Query, start: int, stop: int) -> Retrieved:
        raise NotReady(self.why)

    def allowed(self, query: Query, candidates: Candidates) -> Mask:
        raise NotReady(self.why)

    def score(self, query: Query, candidates: Candidates) -> Scores:
        raise NotReady(self.why)

    def rerank(self, query: Query, candidates: Candidates) -> ItemCodes:
        raise NotReady(self.why)


@dataclass(frozen=True)
class Broken:
    """Any stage, with a bug."""

    def hydrate(self, query: Query) -> Query:
        raise ZeroDivisionError

    def find(self, query: Query) -> Retrieved:
        raise ZeroDivisionError

    def page(self, query: Query, start: int, stop: int) -> Retrieved:
        raise ZeroDivisionError

    def allowed(self, query: Query, candidates: Candidates) -> Mask:
        raise ZeroDivisionError

    def score(self, query: Query, candidates: Candidates) -> Scores:
        raise ZeroDivisionError

    def rerank(self, query: Query, candidates: Candidates) -> ItemCodes:
        raise ZeroDivisionError


@dataclass(frozen=True)
class Reversed:
    """Shows the worst first; only for tests of the runner."""

    def rerank(self, query: Query, candidates: Candidates) -> np.ndarray:
        return np.arange(len(candidates))[::-1]
