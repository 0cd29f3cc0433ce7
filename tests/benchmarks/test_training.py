"""What the training benchmark counts as an example, and what it takes from a peer; no peer is needed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from benchmarks.training import ours
from benchmarks.training.data import Split, folder_of, split
from benchmarks.training.meter import Metered, Round
from benchmarks.training.peers import interpreter, parsed
from benchmarks.training.run import quality
from benchmarks.training.table import PEERS, REMORA, Work, compared, summary

from remora.core.errors import DataError, NotReady
from remora.retrieval.interaction_histories import Histories

WORK = Work(
    batch=32, dimension=8, length=6, threads=1, workers=1, negatives=(16,), few=4, rounds=3, limit_seconds=60.0, seed=3
)


def generated(folder: Path, users: int = 40, items: int = 30) -> Split:
    """Everyone walks in circles, from somewhere, for a while."""
    draw = np.random.default_rng(4)
    walks = [(draw.integers(items) + 7 * np.arange(draw.integers(1, 25))) % items for _ in range(users)]
    rows = [(f"u{user:02}", item) for user, walk in enumerate(walks) for item in walk]
    pl.DataFrame(rows, schema=["user_id", "item_id"], orient="row").write_parquet(folder / "events.parquet")
    return split(folder_of(folder))


def test_the_last_tenth_of_every_user_is_held_out_in_order_and_each_pair_counts_once() -> None:
    events = pl.DataFrame({"user_id": [2, 1, 2, 2, 2, 3] + [1] * 20, "item_id": [5, 0, 5, 7, 6, 9, *range(20)]})
    data = split(events)
    assert (data.train.items, len(data.train), len(data.held)) == (20, 3, 3)
    assert data.train[0].tolist() == list(range(18))
    assert data.held[0].tolist() == [18, 19]
    assert (data.train[1].tolist(), data.held[1].tolist()) == ([5, 7], [6])
    assert (data.train[2].tolist(), data.held[2].tolist()) == ([9], [])


def test_without_two_items_there_is_nothing_to_hold_out() -> None:
    with pytest.raises(DataError, match="nothing to train and to hold out"):
        split(pl.DataFrame({"user_id": [1, 2], "item_id": [5, 6]}))


@pytest.mark.slow
def test_matrix_factorization_counts_the_pairs_of_all_full_batches(ray_cluster: None, tmp_path: Path) -> None:
    data = generated(tmp_path)
    rounds, vectors = ours.matrix_factorization(data, WORK, 16, tmp_path / "work", lambda what: None)
    pairs = len(data.train.flat)
    assert [one.examples for one in rounds] == [pairs // 32 * 32] * 3
    assert all(0 <= one.waited <= one.seconds and one.whole for one in rounds)
    assert vectors["users"].shape == (len(data.train), 8)
    assert 0 <= quality(data, vectors, seed=1)["recall@20"] <= 1


@pytest.mark.parametrize("negatives", [None, 4])
@pytest.mark.slow
def test_the_sequential_tower_counts_every_position_with_a_known_next_item(
    negatives: int | None, ray_cluster: None, tmp_path: Path
) -> None:
    data = generated(tmp_path)
    rounds = ours.sequential_tower(data, WORK, negatives, tmp_path / "work", lambda what: None)
    windows = data.train.padded(np.arange(len(data.train)), WORK.length + 1)
    assert [one.examples for one in rounds] == [int((windows[:, 1:] >= 0).sum())] * 3


def test_recall_of_vectors_that_know_everything_is_one() -> None:
    train, held = (Histories.of(rows, items=40) for rows in ([[0], [1]], [[2], [3]]))
    vectors = {"users": np.eye(2), "items": np.eye(40)[:, [2, 3]]}
    assert quality(Split(train=train, held=held), vectors, seed=1) == {"recall@20": 1.0}


def test_a_meter_hands_on_the_whole_epoch_or_stops_when_time_is_over() -> None:
    batches = [[1, 2], [3, 4], [5]]
    whole = Metered(batches, positives=len, limit_seconds=60.0)
    assert (list(whole), whole.examples, whole.whole) == (batches, 5, True)
    cut = Metered(batches, positives=len, limit_seconds=-1.0)
    assert (list(cut), cut.examples, cut.whole) == ([[1, 2]], 2, False)


def test_a_peers_line_is_the_last_one_that_it_printed() -> None:
    rounds = [{"examples": 64, "seconds": 2.0, "waited": 0.5, "whole": True}] * 2
    line = json.dumps({"rounds": rounds, "positives": 70, "versions": {"torch": "2"}})
    found = parsed(f"epoch: 0\n{{not json\n{line}\n")
    assert found["rounds"] == [Round(examples=64, seconds=2.0, waited=0.5, whole=True)] * 2
    assert (found["positives"], found["versions"]) == (70, {"torch": "2"})


@pytest.mark.parametrize("printed", ["", "Traceback", "{}", '{"rounds": [{"examples": 1}], "positives": 1}', "3"])
def test_what_is_no_result_is_not_taken_for_one(printed: str) -> None:
    with pytest.raises(DataError, match="printed no result"):
        parsed(printed)


@pytest.mark.parametrize("examples", [[64], [64, 0]])
def test_rounds_without_examples_or_warm_up_are_refused(examples: list[int]) -> None:
    rounds = [{"examples": n, "seconds": 2.0, "waited": 0.5, "whole": True} for n in examples]
    with pytest.raises(DataError, match="without examples or without a warm-up"):
        parsed(json.dumps({"rounds": rounds, "positives": 70, "versions": {}}))


def test_the_first_epoch_warms_up_and_a_cut_one_is_predicted_from_its_rate() -> None:
    rounds = [Round(examples=10, seconds=s, waited=s / 4, whole=s < 2) for s in (100.0, 1.0, 2.0, 1.0)]
    row = summary(PEERS[0], rounds, positives=1_000)
    assert (row["examples_per_second"], row["data_wait"], row["seconds_per_epoch"]) == (10, 0.25, 100.0)
    assert row["whole_epochs"] is False


def test_the_table_says_when_a_peer_wins() -> None:
    slow, fast = ([Round(examples=n, seconds=1.0, waited=0.0, whole=True)] * 2 for n in (30, 40))
    failed = {"kind": "sequences", "library": "recbole", "failed": "not finished"}
    rows = [summary(REMORA[0], slow, 30), summary(PEERS[0], fast, 40), summary(REMORA[1], slow, 30), failed]
    assert [row.get("over_fastest_peer") for row in compared(rows)] == [0.75, None, None, None]


def test_a_missing_environment_says_how_it_is_made(tmp_path: Path) -> None:
    with pytest.raises(NotReady, match=r"-m venv .*\n.* install torch==.*\n.* --no-deps -r benchmarks/training"):
        interpreter(tmp_path)
