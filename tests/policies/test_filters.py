"""What a filter hides, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from remora.pipeline import Filter
from remora.policies.filters.seed_item import SeedItem
from remora.policies.filters.seen_items import SeenItems
from remora.policies.filters.unavailable_items import UnavailableItems
from remora.testing.stages import N_ITEMS, FilterContract, some_candidates, some_query


class TestAlreadySeen(FilterContract):
    @pytest.fixture
    def stage(self) -> Filter:
        return SeenItems()

    def test_it_hides_exactly_the_seen_items(self, stage: Filter) -> None:
        candidates = some_candidates()
        mask = stage.allowed(some_query(seen=candidates.rows[[0, 4]]), candidates)
        assert np.flatnonzero(~mask).tolist() == [0, 4]

    def test_a_user_without_a_past_sees_everything(self, stage: Filter) -> None:
        assert stage.allowed(some_query(), some_candidates()).all()

    def test_it_can_be_turned_off(self) -> None:
        candidates = some_candidates()
        assert SeenItems(hide=False).allowed(some_query(seen=candidates.rows), candidates).all()


class TestUnavailable(FilterContract):
    @pytest.fixture
    def stage(self) -> Filter:
        return UnavailableItems(available=np.arange(N_ITEMS) % 3 != 0)

    def test_it_hides_exactly_the_items_that_are_not_available(self, stage: Filter) -> None:
        candidates = some_candidates()
        np.testing.assert_array_equal(stage.allowed(some_query(), candidates), candidates.rows % 3 != 0)


class TestSeedItem(FilterContract):
    @pytest.fixture
    def stage(self) -> Filter:
        return SeedItem()

    def test_it_hides_the_seed_alone(self, stage: Filter) -> None:
        candidates = some_candidates()
        mask = stage.allowed(some_query(seed_item=int(candidates.rows[6])), candidates)
        assert np.flatnonzero(~mask).tolist() == [6]

    def test_without_a_seed_it_hides_nothing(self, stage: Filter) -> None:
        assert stage.allowed(some_query(), some_candidates()).all()
