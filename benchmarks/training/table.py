"""What is compared, and what is said of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from benchmarks.training.meter import Round


@dataclass(frozen=True, kw_only=True)
class Work:
    """The same for all. ``batch`` counts positives; ``rounds`` the epochs, of which the first warms up; ``negatives``
    those that a batch of Remora's pair tower shares, a row for each number; ``limit_seconds`` cuts a peer's epoch."""

    batch: int
    dimension: int
    length: int
    threads: int
    workers: int
    negatives: tuple[int, ...]
    rounds: int
    limit_seconds: float
    seed: int


@dataclass(frozen=True, kw_only=True)
class Model:
    """A row of the table: ``kind`` says beside what it stands, ``how`` wherein it differs."""

    name: str
    kind: str
    library: str
    how: str


REMORA = (
    Model(
        name="pair_tower",
        kind="pairs",
        library="remora",
        how="softmax over {negatives} negatives that a batch shares, cosine scores; Adam by rows",
    ),
    Model(
        name="sequence_tower",
        kind="sequences",
        library="remora",
        how="causal transformer, 2 layers, 2 heads; softmax over the whole catalogue at every place of a user's window",
    ),
)

PEERS = (
    Model(
        name="BPR",
        kind="pairs",
        library="recbole",
        how="1 negative a positive, drawn at each batch among what the user has not had; dense Adam",
    ),
    Model(
        name="YoutubeDNN",
        kind="pairs",
        library="torch-rechub",
        how="without hidden layers; softmax over 1 negative a positive, all drawn once before the clock; dense Adam",
    ),
    Model(
        name="DSSM",
        kind="pairs",
        library="torch-rechub",
        how="without hidden layers; softmax over all others of the batch (in_batch_neg); dense Adam",
    ),
    Model(
        name="SASRec",
        kind="sequences",
        library="recbole",
        how="2 layers, 2 heads; softmax over the whole catalogue, at the last place of one window for each positive",
    ),
    Model(
        name="SASRec",
        kind="sequences",
        library="torch-rechub",
        how="2 layers, 2 heads; 1 negative a place, drawn once before the clock, at every place of a user's window",
    ),
)


def summary(model: Model, rounds: list[Round], positives: int) -> dict[str, Any]:
    """Medians over the rounds after the first; an epoch that was cut is foretold from its rate."""
    timed = rounds[1:]
    rate = float(np.median([one.examples / one.seconds for one in timed]))
    return {
        "model": model.name,
        "kind": model.kind,
        "library": model.library,
        "how": model.how,
        "examples_per_second": round(rate),
        "data_wait": round(float(np.median([one.waited / one.seconds for one in timed])), 4),
        "positives_per_epoch": positives,
        "seconds_per_epoch": round(positives / rate, 2),
        "trained_seconds": round(sum(one.seconds for one in rounds), 2),
        "whole_epochs": all(one.whole for one in timed),
        "rounds": [{"examples": one.examples, "seconds": round(one.seconds, 3), "whole": one.whole} for one in rounds],
    }


def shares(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Remora's rate over that of the fastest peer, by kind; below 1 where the peer wins."""
    found = {}
    for kind in dict.fromkeys(row["kind"] for row in rows):
        ours, theirs = (
            [r["examples_per_second"] for r in rows if r["kind"] == kind and (r["library"] == "remora") is own]
            for own in (True, False)
        )
        if ours and theirs:
            found[kind] = round(max(ours) / max(theirs), 2)
    return found
