"""What the number of replicas follows: the queue, and how long requests wait inside replicas."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ray.serve.config import AutoscalingConfig, AutoscalingContext
from tests.serving.small_shop import SmallShop, settings

from remora.serving.autoscaling import LATE, by_queue_and_waits, most_replicas
from remora.serving.replica import Replica
from remora.serving.stage_pool import QueueDelay, StagePool


def context(requests: float, replicas: int, late: list[float]) -> AutoscalingContext:
    absent: dict[str, Any] = {
        "deployment_id": None,
        "deployment_name": "Ranker",
        "app_name": "remora",
        "target_num_replicas": replicas,
        "running_replicas": [],
        "total_queued_requests": 0.0,
        "raw_metrics": {},
        "capacity_adjusted_min_replicas": 1,
        "capacity_adjusted_max_replicas": 8,
        "policy_state": {},
        "last_scale_up_time": None,
        "last_scale_down_time": None,
        "current_time": None,
    }
    said: Any = {LATE: dict(enumerate(late))} if late else {}
    config = AutoscalingConfig(target_ongoing_requests=4)
    return AutoscalingContext(
        current_num_replicas=replicas, total_num_requests=requests, aggregated_metrics=said, config=config, **absent
    )


@given(requests=st.floats(0, 1e4), replicas=st.integers(1, 50), late=st.lists(st.floats(0, 1), max_size=5))
def test_no_fewer_than_the_queue_needs_and_more_than_now_while_requests_start_late(
    requests: float, replicas: int, late: list[float]
) -> None:
    wanted, _ = by_queue_and_waits(context(requests, replicas, late))
    assert wanted >= requests / 4
    if max(late, default=0) > 0.01:
        assert wanted >= replicas + 1
    else:
        assert wanted == requests / 4


@pytest.mark.parametrize(
    ("chosen", "address", "cores", "most"),
    [(None, None, 2, 2), (None, None, 64, 4), (None, "10.0.0.1:6379", 2, 4), (9, None, 2, 9), (1, None, 2, 3)],
)
def test_a_machine_by_itself_gets_no_more_replicas_than_cores_unless_the_settings_say_so(
    monkeypatch: pytest.MonkeyPatch, chosen: int | None, address: str | None, cores: int, most: int
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: cores)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    least = 3 if chosen == 1 else 1
    made = settings(max_replicas=chosen, min_replicas=least)
    cluster = made.cluster.model_copy(update={"address": address})
    assert most_replicas(made.model_copy(update={"cluster": cluster})) == most


@given(tolerated=st.floats(0, 10), waits=st.lists(st.floats(0, 20), min_size=1))
def test_the_share_of_what_starts_late_is_since_it_was_asked_last(tolerated: float, waits: list[float]) -> None:
    counted = QueueDelay(tolerated)
    for seconds in waits:
        counted.note(seconds)
    assert counted.late_share() == pytest.approx(sum(seconds > tolerated for seconds in waits) / len(waits))
    assert counted.late_share() == 0.0


def test_work_that_is_given_up_before_it_starts_is_not_run_and_is_late() -> None:
    threads, ran, hold = StagePool(1, tolerated_wait_seconds=60.0), [], threading.Event()

    async def asked() -> None:
        first = asyncio.create_task(threads.do(hold.wait))
        second = asyncio.create_task(threads.do(ran.append, "second"))
        await asyncio.sleep(0)  # both are in the queue now, the second behind the first
        second.cancel()
        with suppress(asyncio.CancelledError):
            await second
        hold.set()
        await first
        await threads.do(ran.append, "third")

    asyncio.run(asked())
    assert ran == ["third"]
    assert threads.waits.late_share() == pytest.approx(1 / 3)


def test_a_replica_reports_it_to_serve() -> None:
    worker = Replica(SmallShop(settings()))
    assert worker.record_autoscaling_stats() == {LATE: 0.0}
    worker.threads.waits.note(float("inf"))
    assert worker.record_autoscaling_stats() == {LATE: 1.0}
