"""The form of every metric: a measure of one query that adds up over queries."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

import numpy.typing as npt

from remora.evaluation.aggregates import CoveredItems, Mean
from remora.evaluation.metrics.judgement import Judgement, Relevant, Shown, judge

if TYPE_CHECKING:  # what reads settings imports the metrics that they name, and the statistics import SciPy
    from typing import Self

    from remora.evaluation.item_statistics import ItemStatistics
    from remora.extensions import ComponentConfig

Sum = TypeVar("Sum", Mean, CoveredItems)


@dataclass(frozen=True, kw_only=True, eq=False)
class Metric(ABC, Generic[Sum]):
    """A metric of the first ``k`` items shown: a component of the kind ``metric``.

    ``name`` is its key in reports and gates, ``title`` its heading in tables, ``of_relevance`` whether gates may bound
    it.

    Where scores tie, a metric of relevance is its expectation over all orders of the ties (as scikit-learn's NDCG), so
    a constant scorer scores as a random one: McSherry and Najork, "Computing Information Retrieval Performance
    Measures Efficiently in the Presence of Tied Scores", ECIR 2008.
    """

    name: ClassVar[str]
    title: ClassVar[str] = ""
    of_relevance: ClassVar[bool] = False
    k: int

    @classmethod
    def at(cls, k: int, items: ItemStatistics, config: ComponentConfig) -> Self:
        """The metric of the first ``k`` items of slates over a catalogue, with its own settings."""
        return cls(k=k)

    def measure(
        self, *, shown: Shown, relevant: Relevant = (), scores: Sequence[float] | npt.NDArray[Any] | None = None
    ) -> Sum:
        """One query's value; arguments as :func:`~remora.evaluation.metrics.judgement.judge` takes them.

        ``scores`` (shown,) reorder the items; ValueError for repeats or lengths that differ.
        """
        return self.of(judge(shown, relevant, scores))

    @abstractmethod
    def of(self, judgement: Judgement) -> Sum:
        """One query's value; a Mean with count 0 where the metric says nothing of the query."""


class RelevanceMetric(Metric[Mean]):
    """A metric that says nothing of a query for which nothing is relevant."""

    of_relevance: ClassVar[bool] = True

    def of(self, judgement: Judgement) -> Mean:
        """One query's value, count 0 without relevant items."""
        return Mean(float(self.value(judgement)), 1) if len(judgement.relevant) else Mean()

    @abstractmethod
    def value(self, judgement: Judgement) -> float:
        """The value in [0, 1] of a query with relevant items."""
