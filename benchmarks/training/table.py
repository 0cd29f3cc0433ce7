"""What is compared, and what is said of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from benchmarks.training.meter import Round


@dataclass(frozen=True, kw_only=True)
class Work:
    """The same for all. ``batch`` counts positives; ``rounds`` the epochs, of which the first warms up; ``negatives``
    those that a batch of Remora's matrix factorization shares, a row for each number, ``few`` those of its sequential
    tower beside the whole catalogue; ``limit_seconds`` cuts a peer's epoch."""

    batch: int
    dimension: int
    length: int
    threads: int
    workers: int
    negatives: tuple[int, ...]
    few: int
    rounds: int
    limit_seconds: float
    seed: int


@dataclass(frozen=True, kw_only=True)
class Model:
    """A row of the table: ``kind`` says beside what it stands, ``how`` wherein it differs."""

    name: str
    kind: str
    package: str
    how: str


REMORA = (
    Model(
        name="matrix_factorization, {negatives}",
        kind="pairs",
        package="remora",
        how="softmax over negatives that a batch shares, cosine scores; Adam by rows",
    ),
    Model(
        name="sequential_tower, {negatives}",
        kind="sequences",
        package="remora",
        how="transformer, 2 layers, 2 heads; softmax over the catalogue or shared negatives at every place of a window",
    ),
)

PEERS = (
    Model(
        name="BPR",
        kind="pairs",
        package="recbole",
        how="1 negative a positive, drawn at each batch among what the user has not had; dense Adam",
    ),
    Model(
        name="YoutubeDNN",
        kind="pairs",
        package="torch-rechub",
        how="without hidden layers; softmax over 1 negative a positive, all drawn once before the clock; dense Adam",
    ),
    Model(
        name="DSSM",
        kind="pairs",
        package="torch-rechub",
        how="without hidden layers; softmax over all others of the batch (in_batch_neg); dense Adam",
    ),
    Model(
        name="SASRec",
        kind="sequences",
        package="recbole",
        how="2 layers, 2 heads; softmax over the whole catalogue, at the last place of one window for each positive",
    ),
    Model(
        name="SASRec",
        kind="sequences",
        package="torch-rechub",
        how="2 layers, 2 heads; 1 negative a place, drawn once before the clock, at every place of a user's window",
    ),
)


def summary(model: Model, rounds: list[Round], positives: int) -> dict[str, Any]:
    """Medians over the rounds after the first; an epoch that was cut is predicted from its rate."""
    timed = rounds[1:]
    rate = float(np.median([one.examples / one.seconds for one in timed]))
    return {
        "model": model.name,
        "kind": model.kind,
        "library": model.package,
        "how": model.how,
        "examples_per_second": round(rate),
        "data_wait": round(float(np.median([one.waited / one.seconds for one in timed])), 4),
        "positives_per_epoch": positives,
        "seconds_per_epoch": round(positives / rate, 2),
        "trained_seconds": round(sum(one.seconds for one in rounds), 2),
        "whole_epochs": all(one.whole for one in timed),
        "rounds": [{"examples": one.examples, "seconds": round(one.seconds, 3), "whole": one.whole} for one in rounds],
    }


def compared(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Remora's rows with their rate over that of the fastest peer of their kind; below 1 the peer wins."""
    ran = [row for row in rows if "failed" not in row]
    fastest = {
        kind: max(
            (r["examples_per_second"] for r in ran if (r["kind"], r["library"] == "remora") == (kind, False)),
            default=None,
        )
        for kind in {row["kind"] for row in ran}
    }
    return [
        row | {"over_fastest_peer": round(row["examples_per_second"] / rate, 2)}
        if row["library"] == "remora" and (rate := fastest[row["kind"]])
        else row
        for row in rows
    ]
