"""Runs in the peers' virtual environment: python drive.py PEER FOLDER MINUTES SEED THREADS.

Draws settings until the minutes are spent, fits each on the validation events and judges it by NDCG@10 of the
validation queries; then fits the best on the test events, asks the test queries, writes PEER.json with lists by query
id, and prints one line of JSON. Test queries are read after the choice. A network's trial that would outlast the
minutes ends with them and is judged as it stands; its last fit runs all its epochs.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

LENGTH, MOST_JUDGED = 200, 500

Lists = list[list[str]]
Recommend = Callable[[pd.DataFrame], Lists]


class Bounds(NamedTuple):
    """How a fit runs: its seed, its threads, and the seconds it may take (None: as long as it needs)."""

    seed: int
    threads: int
    seconds: float | None = None


Peer = Callable[[pd.DataFrame, dict, Bounds], Recommend]


def main(peer: str, folder: Path, minutes: float, seed: int, threads: int) -> None:
    fit, space = PEERS[peer]
    events, queries = pd.read_parquet(folder / "validation_events.parquet"), read(folder, "validation")
    judged = queries.sample(min(MOST_JUDGED, len(queries)), random_state=seed)
    begun, tried = time.perf_counter(), []
    for chosen in draws(space, seed):
        at = time.perf_counter()
        try:
            bounds = Bounds(seed, threads, seconds=begun + 60 * minutes - at)
            found = ndcg(fit(events, chosen, bounds)(judged), judged)
            tried.append((found, chosen))
        except Exception as error:  # noqa: BLE001 - settings that a library refuses are no settings
            print(f"{peer} {chosen}: {error}", file=sys.stderr)
        passed, last = time.perf_counter() - begun, time.perf_counter() - at
        print(f"{peer} {chosen}: {tried[-1][0] if tried else 0:.4f}, {passed:.0f} s", file=sys.stderr)
        if passed + last > 60 * minutes:
            break
    best, chosen = max(tried, key=lambda one: one[0])
    begun = time.perf_counter()
    recommend = fit(pd.read_parquet(folder / "test_events.parquet"), chosen, Bounds(seed, threads))
    trained = time.perf_counter() - begun
    asked = read(folder, "test")
    begun = time.perf_counter()
    lists = recommend(asked)
    passed = time.perf_counter() - begun
    (folder / f"{peer}.json").write_text(json.dumps(dict(zip(asked["query_id"], lists, strict=True))))
    said = {"chosen": chosen, "validation_ndcg@10": best, "trials": len(tried), "train_seconds": trained}
    print(json.dumps(said | {"score_ms_per_query": 1_000 * passed / len(asked)}))


def read(folder: Path, name: str) -> pd.DataFrame:
    return pd.read_parquet(folder / f"{name}_queries.parquet")


def draws(space: dict[str, list], seed: int) -> Iterator[dict[str, Any]]:
    """The middle of each list first, then at random, each once."""
    draw = np.random.default_rng(seed)
    chosen = {name: values[len(values) // 2] for name, values in space.items()}
    seen, most = set(), int(np.prod([len(values) for values in space.values()]))
    while len(seen) < most:
        key = json.dumps(chosen, sort_keys=True)
        if key not in seen:
            seen.add(key)
            yield chosen
        chosen = {name: values[draw.integers(len(values))] for name, values in space.items()}


def ndcg(lists: Lists, queries: pd.DataFrame, k: int = 10) -> float:
    """Mean NDCG@k with the targets' weights as gains."""
    discounts, found = 1 / np.log2(np.arange(2, k + 2)), []
    for items, targets, weights in zip(lists, queries["targets"], queries["weights"], strict=True):
        gains = dict(zip(targets, weights, strict=True))
        got = np.array([gains.get(item, 0.0) for item in items[:k]])
        ideal = np.sort(np.asarray(weights))[::-1][:k]
        found.append((got * discounts[: len(got)]).sum() / (ideal * discounts[: len(ideal)]).sum())
    return float(np.mean(found))


def popularity(events: pd.DataFrame, chosen: dict, bounds: Bounds) -> Recommend:
    """Weighted counts that fade."""
    last = events["event_timestamp"].max()
    age = (last - events["event_timestamp"]).dt.total_seconds() / 86_400
    order = (events["weight"] * 0.5 ** (age / chosen["half_life_days"])).groupby(events["item_id"]).sum()
    items = order.sort_values(ascending=False, kind="stable").index.to_list()

    def recommend(queries: pd.DataFrame) -> Lists:
        lists = []
        for history in queries["history"]:
            had, found = set(history), []
            for item in items:
                if item not in had:
                    found.append(item)
                    if len(found) == LENGTH:
                        break
            lists.append(found)
        return lists

    return recommend


def numbered(events: pd.DataFrame) -> tuple[pd.Index, pd.Index]:
    return pd.Index(events["user_id"].unique()), pd.Index(events["item_id"].unique())


def implicit_als(events: pd.DataFrame, chosen: dict, bounds: Bounds) -> Recommend:
    """implicit's ALS; users of queries are folded in."""
    import scipy.sparse as sp
    from implicit.als import AlternatingLeastSquares

    users, items = numbered(events)
    at = (users.get_indexer(events["user_id"]), items.get_indexer(events["item_id"]))
    matrix = sp.csr_matrix((events["weight"].to_numpy(np.float32), at), shape=(len(users), len(items)))
    model = AlternatingLeastSquares(
        factors=chosen["factors"], regularization=chosen["regularization"], alpha=chosen["alpha"],
        iterations=chosen["iterations"], num_threads=bounds.threads, random_state=bounds.seed,
    )  # fmt: skip
    model.fit(matrix, show_progress=False)

    def recommend(queries: pd.DataFrame) -> Lists:
        known = [items.get_indexer(np.asarray(history, object)) for history in queries["history"]]
        known = [rows[rows >= 0] for rows in known]
        ends = np.cumsum([0, *map(len, known)])
        flat = np.concatenate(known) if len(known) else np.empty(0, int)
        folded = sp.csr_matrix((np.ones(len(flat), np.float32), flat, ends), shape=(len(known), len(items)))
        rows, _ = model.recommend(
            np.arange(len(known)), folded, N=min(LENGTH, len(items)), filter_already_liked_items=True,
            recalculate_user=True,
        )  # fmt: skip
        return [[items[row] for row in found if row >= 0] for found in rows]

    return recommend


def lenskit_item_knn(events: pd.DataFrame, chosen: dict, bounds: Bounds) -> Recommend:
    """LensKit's item kNN on implicit feedback."""
    from lenskit.data import ItemList, RecQuery, from_interactions_df
    from lenskit.knn import ItemKNNScorer

    model = ItemKNNScorer(max_nbrs=chosen["max_nbrs"], min_sim=chosen["min_sim"], feedback="implicit")
    model.train(from_interactions_df(events[["user_id", "item_id"]]))
    items = events["item_id"].unique()
    everything, known = ItemList(item_ids=items), set(items)

    def recommend(queries: pd.DataFrame) -> Lists:
        lists = []
        for history in queries["history"]:
            read = np.array([item for item in history if item in known], object)  # it panics at an unknown item
            had = ItemList(item_ids=read) if len(read) else ItemList(item_ids=items[:0])
            scores = np.nan_to_num(model(query=RecQuery(user_items=had), items=everything).scores(), nan=-np.inf)
            seen, order = set(history), np.argsort(-scores, kind="stable")[: LENGTH + len(history)]
            lists.append([items[n] for n in order if np.isfinite(scores[n]) and items[n] not in seen][:LENGTH])
        return lists

    return recommend


def rectools_sasrec(events: pd.DataFrame, chosen: dict, bounds: Bounds) -> Recommend:
    """RecTools' SASRec; a query is a user with its own history."""
    import torch
    from pytorch_lightning import Trainer, seed_everything
    from rectools import Columns
    from rectools.dataset import Dataset
    from rectools.models import SASRecModel

    torch.set_num_threads(bounds.threads)
    seed_everything(bounds.seed)
    names = {
        "user_id": Columns.User,
        "item_id": Columns.Item,
        "event_timestamp": Columns.Datetime,
        "weight": Columns.Weight,
    }

    def trainer() -> Trainer:
        return Trainer(
            max_epochs=chosen["epochs"], accelerator="cpu", logger=False, enable_checkpointing=False,
            enable_progress_bar=False, enable_model_summary=False,
            max_time=None if bounds.seconds is None else timedelta(seconds=bounds.seconds),
        )  # fmt: skip

    model = SASRecModel(
        **{name: value for name, value in chosen.items() if name != "epochs"},
        n_heads=2,
        loss="softmax",
        epochs=chosen["epochs"],
        batch_size=64,
        get_trainer_func=trainer,
        verbose=0,
    )
    table = events[list(names)].rename(columns=names)
    table[Columns.Datetime] = table[Columns.Datetime].dt.tz_localize(None)
    model.fit(Dataset.construct(table))

    def recommend(queries: pd.DataFrame) -> Lists:
        long = queries[["query_id", "history"]].explode("history").dropna()
        place = long.groupby("query_id").cumcount()
        asked = pd.DataFrame(
            {
                Columns.User: long["query_id"].to_numpy(),
                Columns.Item: long["history"].to_numpy(),
                Columns.Weight: 1.0,
                Columns.Datetime: pd.Timestamp("2000-01-01") + pd.to_timedelta(place.to_numpy(), unit="s"),
            }
        )
        found = model.recommend(
            users=asked[Columns.User].unique(), dataset=Dataset.construct(asked), k=LENGTH, filter_viewed=True,
            on_unsupported_targets="ignore",
        )  # fmt: skip
        lists = found.sort_values(Columns.Rank).groupby(Columns.User)[Columns.Item].agg(list).to_dict()
        return [lists.get(query, []) for query in queries["query_id"]]

    return recommend


PEERS: dict[str, tuple[Peer, dict[str, list]]] = {
    "popularity": (popularity, {"half_life_days": [3, 7, 14, 30, 90, 365, 3_650]}),
    "implicit ALS": (
        implicit_als,
        {
            "factors": [16, 32, 64, 128],
            "regularization": [0.001, 0.01, 0.1, 1.0],
            "alpha": [0.5, 1.0, 5.0, 20.0],
            "iterations": [10, 15, 30],
        },
    ),
    "LensKit item kNN": (lenskit_item_knn, {"max_nbrs": [5, 10, 20, 50, 100], "min_sim": [1e-6, 0.01, 0.05, 0.1]}),
    "RecTools SASRec": (
        rectools_sasrec,
        {
            "n_factors": [32, 64, 128],
            "n_blocks": [1, 2],
            "session_max_len": [50, 100],
            "dropout_rate": [0.1, 0.2, 0.4],
            "lr": [3e-4, 1e-3, 3e-3],
            "epochs": [3, 5, 10, 20],
        },
    ),
}

if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5]))
