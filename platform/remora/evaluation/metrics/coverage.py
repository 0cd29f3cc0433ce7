"""ItemStatistics coverage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from remora.evaluation.aggregates import CoveredItems
from remora.evaluation.metrics.judgement import Judgement
from remora.evaluation.metrics.metric import Metric

if TYPE_CHECKING:
    from typing import Self

    from remora.evaluation.item_statistics import ItemStatistics
    from remora.extensions import ComponentConfig


@dataclass(frozen=True, kw_only=True, eq=False)
class Coverage(Metric[CoveredItems]):
    """The share of a catalogue of ``items`` that is among the first k of anyone's slate; ``shown`` are item rows.

    Ge, Delgado-Battenfeld and Jannach, "Beyond accuracy", RecSys 2010. It grows with the number of queries, so compare
    only systems that answered the same ones; a bootstrap of it would be biased (a resample holds 63% of the users).

    >>> (Coverage(k=2, items=4).measure(shown=[0, 1, 2]) + Coverage(k=2, items=4).measure(shown=[1, 3])).value
    0.75
    """

    name: ClassVar[str] = "coverage"
    title: ClassVar[str] = "coverage"
    items: int

    @classmethod
    def at(cls, k: int, items: ItemStatistics, config: ComponentConfig) -> Self:
        """See :class:`Metric`."""
        return cls(k=k, items=len(items))

    def of(self, judgement: Judgement) -> CoveredItems:
        """What this slate covers."""
        return CoveredItems(np.unique(judgement.shown[: self.k]), self.items)
