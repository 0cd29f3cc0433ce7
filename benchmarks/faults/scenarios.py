"""Faults under load: what is killed or frozen, what callers saw of it, and how long it took to be whole again."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

import polars as pl
import ray
from benchmarks.load import Load
from ray.exceptions import RayError
from ray.serve.exceptions import RayServeException

PATIENCE_SECONDS = 120.0
BEFORE, AFTER, BETWEEN = 100, 200, 20
"""Answers before the fault, after the replicas are back, and between two looks at them."""


class Outcome(NamedTuple):
    """``failed``: anything but a full slate with status 200. ``degraded``: slates that say so. ``seconds`` from the
    fault to the last of either, 0 when there was none; ``restored_seconds`` to the last replica's return."""

    fault: str
    answers: int
    failed: int
    degraded: int
    seconds: float
    restored_seconds: float
    p99_ms: float
    slowest_ms: float
    reasons: dict[str, int]
    failures: list[str]


def details() -> dict[str, Any]:
    """Serve's own account of its processes."""
    from ray.serve.context import _get_global_client

    return dict(_get_global_client().get_serve_details())


def replicas(app: str, deployment: str) -> dict[int, str]:
    """State by process id."""
    found = details()["applications"][app]["deployments"][deployment]["replicas"]
    return {replica["pid"]: replica["state"] for replica in found if replica.get("pid")}


def running(app: str) -> dict[str, set[int]]:
    """Processes of the replicas that run, by deployment."""
    deployments = details()["applications"][app]["deployments"]
    return {name: {pid for pid, state in replicas(app, name).items() if state == "RUNNING"} for name in deployments}


def one_of(app: str, deployment: str) -> int:
    """The process of a replica."""
    return min(running(app)[deployment])


@contextmanager
def killed(pid: int) -> Iterator[set[int]]:
    """A process that is gone from here on."""
    os.kill(pid, signal.SIGKILL)
    yield {pid}


@contextmanager
def frozen(pid: int) -> Iterator[set[int]]:
    """A process that is there and does nothing; it is let go at the end, if it is still there."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield {pid}
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


@contextmanager
def controller_killed() -> Iterator[set[int]]:
    """Serve's controller dies; Ray starts it again."""
    from ray.serve.context import _get_global_client

    ray.kill(_get_global_client()._controller, no_restart=False)
    yield set()


def faults(app: str) -> dict[str, Callable[[], Any]]:
    """What may happen to an app, by name."""
    found: dict[str, Callable[[], Any]] = {}
    for deployment in running(app):
        found[f"{deployment}: one replica killed"] = lambda d=deployment: killed(one_of(app, d))
        found[f"{deployment}: one replica frozen"] = lambda d=deployment: frozen(one_of(app, d))
    return found | {"Serve's controller killed": controller_killed}


def outcome(name: str, fault: Callable[[], Any], *, app: str, under: Load) -> Outcome:
    """Let the fault happen under load; return when the app is whole and answers again."""
    wanted = {deployment: len(pids) for deployment, pids in running(app).items()}
    with under as load:
        load.wait_for(BEFORE)
        began = time.time()
        with fault() as lost:
            restored = _wait_until_whole(app, wanted, lost, load) - began
            load.wait_for(AFTER)
    return _judged(name, load.answers, began=began, restored=restored, n=load.n)


def _wait_until_whole(app: str, wanted: dict[str, int], lost: set[int], load: Load) -> float:
    deadline = time.time() + PATIENCE_SECONDS
    while time.time() < deadline:
        load.wait_for(BETWEEN)
        try:
            now = running(app)
        except (RayError, RayServeException):  # the controller itself may be gone for a moment
            continue
        if {d: len(pids - lost) for d, pids in now.items()} == wanted:
            return time.time()
    raise TimeoutError(f"after {PATIENCE_SECONDS:.0f} s {app} has {running(app)} and should have {wanted}")


def _judged(name: str, answers: pl.DataFrame, *, began: float, restored: float, n: int) -> Outcome:
    told = answers.with_columns(
        failed=(pl.col("status") != 200) | (pl.col("items") < n),
        whole=(pl.col("status") == 200) & (pl.col("said") == ""),
        answered=pl.col("due") + pl.col("milliseconds") / 1e3,
    )
    during = told.filter(pl.col("answered") >= began)
    broken = during.filter(~pl.col("whole") | pl.col("failed"))
    last = broken["answered"].max()
    reasons = broken.filter(~pl.col("failed"))["said"].str.extract(r"^([a-z_]+)").value_counts()
    failures = broken.filter("failed").select(pl.format("{} {}", "status", "said").alias("failure"))
    return Outcome(
        fault=name,
        answers=len(during),
        failed=int(during["failed"].sum()),
        degraded=int((~during["whole"] & ~during["failed"]).sum()),
        seconds=round(float(last) - began, 2) if isinstance(last, float) else 0.0,
        restored_seconds=round(restored, 2),
        p99_ms=round(float(during["milliseconds"].quantile(0.99) or 0.0), 1),
        slowest_ms=round(float(during["milliseconds"].max() or 0.0), 1),  # type: ignore[arg-type]
        reasons=dict(reasons.iter_rows()),
        failures=sorted(set(failures["failure"].to_list())),
    )
