"""Items hidden from training are found by their content."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.datasets.worlds import clustered_events, clustered_items, make_lake, settings_for, some_users

from remora.core.errors import DataError
from remora.settings import Settings
from remora.workflow.cold_start import measure

USERS, ITEMS, CLUSTERS = 150, 160, 8


def shop(folder: Path, share: float) -> Settings:
    events = clustered_events(users=USERS, items=ITEMS, clusters=CLUSTERS, days=60, per_user=12)
    make_lake(folder, events, users=some_users(USERS), items=clustered_items(ITEMS, CLUSTERS))
    retrieval = {"batch_size": 64, "dimension": 16, "uniform_negatives": 32, "learning_rate": 0.01}
    evaluation = {"cold_start_holdout_fraction": share, "cold_start_epochs": 4, "bootstrap_samples": 100}
    return settings_for(folder, retrieval=retrieval, features={"partitions": 2}, evaluation=evaluation)


@pytest.mark.slow
def test_hidden_items_are_found_by_their_content_and_unchanged_reuses_the_result(
    ray_cluster: None, home_folder: Path
) -> None:
    settings, epochs = shop(home_folder, 0.15), []
    found = measure(settings, epochs.append)
    assert len(epochs) == 4
    assert 0 < found.hidden < ITEMS / 3
    assert found.items == ITEMS
    assert found.recall > found.random + 0.2
    assert found.recall > found.popularity + 0.2
    assert measure(settings, epochs.append) == found
    assert len(epochs) == 4


def test_no_hidden_item_with_a_positive_event_is_an_error_that_says_so(ray_cluster: None, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Of 0 hidden items none was wanted"):
        measure(shop(tmp_path, 1e-9))
