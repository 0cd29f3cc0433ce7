"""What every metric promises: a test inherits :class:`MetricContract` and names the metric.

A class of pytest whose methods are plain functions: nothing here needs pytest, or a plugin of it.
"""

from __future__ import annotations

import itertools
import math
import pickle
from functools import reduce
from operator import add
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from remora.evaluation.item_statistics import ItemStatistics
from remora.evaluation.metrics.metric import Metric
from remora.extensions import ComponentConfig
from remora.extensions.kinds import METRIC

__all__ = ["MetricContract", "some_items", "some_slates"]

ITEMS, K = 30, 4


def some_items(**changes: Any) -> ItemStatistics:
    """A catalogue of thirty items in categories; any column that is asked for has numbers, and one is missing."""
    draw = np.random.default_rng(2)
    categories = np.sort(draw.integers(0, 5, (ITEMS, 2)).astype(np.int32), axis=1)
    categories[categories[:, 0] == categories[:, 1], 0] = -1
    values: dict[str, Any] = {
        "popularity": draw.integers(0, 50, ITEMS).astype(float),
        "categories": categories,
        "column": _column,
    }
    return ItemStatistics(**(values | changes))


def some_slates(seed: int = 0) -> list[tuple[npt.NDArray[np.int64], set[int]]]:
    """Slates of different lengths, with what is relevant of each: some is not shown, and now and then nothing is."""
    draw, found = np.random.default_rng(seed), []
    for length in (0, 1, 2, K, K + 3, 20):
        for wanted in (0, 1, 5):
            found.append((draw.permutation(ITEMS)[:length], set(draw.permutation(ITEMS)[:wanted].tolist())))
    return found


class MetricContract:
    """Of metrics: a measure of the first k items that adds up over queries, in whatever order they are added.

    A subclass names the ``component``, and overrides ``config`` or ``items`` where it needs others than the default
    settings and :func:`some_items`.
    """

    component: ClassVar[type[Metric[Any]]]

    def config(self) -> ComponentConfig:
        """The metric's own settings."""
        return METRIC.config_of(self.component)()

    def items(self) -> ItemStatistics:
        """The catalogue that slates are of."""
        return some_items()

    def metric(self) -> Metric[Any]:
        """Of the first K items."""
        return self.component.at(K, self.items(), self.config())

    def value(self, shown: Any, relevant: Any, scores: Any = None) -> float:
        """One query's value; NaN where the metric says nothing of it."""
        return float(self.metric().measure(shown=shown, relevant=relevant, scores=scores).value)

    def test_it_has_a_name_and_a_cutoff(self) -> None:
        """Reports and gates know it by these."""
        assert self.component.name
        assert self.metric().k == K

    def test_every_slate_has_a_finite_value_or_none(self) -> None:
        """An empty one, and one without anything relevant, too; a metric of relevance is a share of what can be had."""
        for shown, relevant in some_slates():
            found = self.value(shown, relevant)
            assert math.isnan(found) or math.isfinite(found)
            if self.component.of_relevance:
                assert math.isnan(found) == (not relevant)
                assert math.isnan(found) or 0 <= found <= 1

    def test_what_stands_behind_the_cutoff_does_not_count(self) -> None:
        """In whatever order."""
        for shown, relevant in some_slates():
            other = np.concatenate([shown[:K], shown[K:][::-1]])
            np.testing.assert_equal(self.value(other, relevant), self.value(shown, relevant))

    def test_queries_may_be_added_in_any_order(self) -> None:
        """Any number of workers measures them."""
        measured = [self.metric().measure(shown=shown, relevant=relevant) for shown, relevant in some_slates()]
        forward, backward = reduce(add, measured), reduce(add, reversed(measured))
        np.testing.assert_allclose(forward.value, backward.value, rtol=1e-9)

    def test_ties_count_as_the_mean_of_their_orders(self) -> None:
        """Of metrics of relevance, so that a constant scorer is worth what a random one is."""
        if not self.component.of_relevance:
            return
        for relevant in ({1}, {0, 3}, {2, 9}):
            each = [self.value(np.array(order), relevant) for order in itertools.permutations(range(5))]
            tied = self.value(np.arange(5), relevant, scores=np.zeros(5))
            np.testing.assert_allclose(tied, np.mean(each), rtol=1e-9)

    def test_it_crosses_process_borders(self) -> None:
        """A replay runs in Ray's workers."""
        copied = pickle.loads(pickle.dumps(self.metric()))
        for shown, relevant in some_slates():
            found = float(copied.measure(shown=shown, relevant=relevant).value)
            np.testing.assert_equal(found, self.value(shown, relevant))


def _column(name: str) -> npt.NDArray[Any]:
    values = np.linspace(1.0, 9.0, ITEMS)
    values[3] = np.nan
    return values
