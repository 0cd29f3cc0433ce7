"""Regret of requests, with intervals over users: a user's requests depend on each other, users do not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

LOOP = "loop"
SAMPLES, SEED, LEVEL = 2_000, 17, 0.95

Sums = npt.NDArray[np.float64]


def compared(loop: pl.DataFrame, other: pl.DataFrame) -> dict[str, Any]:
    """Mean regret of a request in both arms, and by how much the loop's is lower: people alone, whole users drawn with
    both of what they did."""
    loop, other = (requests.filter(~pl.col("bot")) for requests in (loop, other))
    users = sorted({*loop["user"], *other["user"]})
    mine, theirs = _sums(loop, users), _sums(other, users)
    drawn = np.array([_reduction(mine[rows], theirs[rows]) for rows in _samples(len(users))])
    of_loop, of_other = _mean(mine), _mean(theirs)
    return {
        "loop": round(of_loop, 4),
        "other": round(of_other, 4),
        "reduction": round(1 - of_loop / of_other, 4),
        "reduction_interval": _interval(drawn),
        "value_loop": round(_mean_of(loop, "value"), 4),
        "value_other": round(_mean_of(other, "value"), 4),
    }


def by_day(arms: Mapping[str, pl.DataFrame]) -> dict[str, list[dict[str, Any]]]:
    """Of each arm and day the requests, the mean regret of one with its interval, and the mean value."""
    return {name: [_day(day) for day in requests.partition_by("day")] for name, requests in arms.items()}


def _day(requests: pl.DataFrame) -> dict[str, Any]:
    people = requests.filter(~pl.col("bot"))
    users = sorted({*people["user"]})
    sums = _sums(people, users)
    drawn = np.array([_mean(sums[rows]) for rows in _samples(len(users))])
    return {
        "day": int(requests["day"][0]),
        "requests": len(people),
        "users": len(users),
        "regret": round(_mean(sums), 4),
        "interval": _interval(drawn),
        "value": round(_mean_of(people, "value"), 4),
        "best": round(_mean_of(people, "best"), 4),
    }


def _sums(requests: pl.DataFrame, users: list[int]) -> Sums:
    """By user, in their order: regret of all requests, and their number."""
    regret = pl.max_horizontal(pl.col("best") - pl.col("value"), 0.0)
    of_user = requests.group_by("user").agg(regret=regret.sum(), requests=pl.len())
    placed = pl.DataFrame({"user": users}, schema={"user": pl.Int64}).join(
        of_user, on="user", how="left", maintain_order="left"
    )
    return placed.select("regret", "requests").fill_null(0).to_numpy().astype(np.float64)


def _samples(users: int) -> npt.NDArray[np.int64]:
    return np.random.default_rng(SEED).integers(0, users, (SAMPLES, users))


def _mean(sums: Sums) -> float:
    return float(sums[:, 0].sum() / max(sums[:, 1].sum(), 1.0))


def _reduction(mine: Sums, theirs: Sums) -> float:
    return 1 - _mean(mine) / _mean(theirs)


def _mean_of(requests: pl.DataFrame, column: str) -> float:
    found = requests[column].mean()
    return float(found) if isinstance(found, float) else float("nan")


def _interval(drawn: Sums) -> list[float]:
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return [round(float(low), 4), round(float(high), 4)]
