"""Remora's retrieval models keep the promises of their kind."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.retrieval.test_sources import neighbours, query
from tests.retrieval.test_vector_models import LIGR, factors, sequential

from remora.retrieval.models.co_visitation import CoVisitation
from remora.retrieval.models.linear import LinearLists
from remora.retrieval.models.matrix_factorization import Factors
from remora.retrieval.models.segment_popularity import SegmentPopularity
from remora.retrieval.models.sequential import Sequential
from remora.retrieval.segments import Segments
from remora.testing.retrieval_models import RetrievalModelContract

HISTORIES = ((3,), (3, 8, 21), (0, 2), (1, 2, 3, 4, 5, 6, 8))


class VectorModelContract(RetrievalModelContract):
    def answers(self, model: Any) -> list[Any]:
        return [model.of_user(query(history=history)) for history in HISTORIES]


class TestSequential(VectorModelContract):
    component = Sequential

    def config(self) -> Sequential.Config:
        return LIGR

    @pytest.fixture
    def model(self) -> Sequential:
        return sequential()


class TestFactors(VectorModelContract):
    component = Factors

    def config(self) -> Factors.Config:
        return Factors.Config(ridge=0.5)

    @pytest.fixture
    def model(self) -> Factors:
        return factors()


class ItemListsContract(RetrievalModelContract):
    @pytest.fixture
    def model(self) -> Any:
        return self.component(neighbours=neighbours(), step_decay=self.component.decay_of(self.config()))

    def answers(self, model: Any) -> list[Any]:
        lists = [model.neighbours.of(row) for row in range(12)]
        return [*(one.rows for one in lists), *(one.scores for one in lists), model.step_decay]


class TestCoVisitation(ItemListsContract):
    component = CoVisitation


class TestLinearLists(ItemListsContract):
    component = LinearLists


class TestSegmentPopularity(RetrievalModelContract):
    component = SegmentPopularity

    def config(self) -> SegmentPopularity.Config:
        return SegmentPopularity.Config(column="country")

    @pytest.fixture
    def model(self) -> SegmentPopularity:
        best = (np.array([4, 1], np.int32), np.array([0.7, 0.2], np.float32))
        other = (np.array([2], np.int32), np.array([0.9], np.float32))
        return SegmentPopularity(segments=Segments.of_lists({"NL": best, "DE": other}), column="country")

    def answers(self, model: SegmentPopularity) -> list[Any]:
        found = [model.segments.of(name) for name in ("NL", "DE", "FR")]
        return [*(one.rows for one in found), *(one.scores for one in found), model.column]
