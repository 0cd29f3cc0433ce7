"""What workers report, brought to the driver while they work."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ray.train import Checkpoint, UserCallback
from ray.util.queue import Queue

Report = dict[str, Any]


class ReportForwarder(UserCallback):
    """Puts the first worker's report into a queue; runs in Ray Train's controller."""

    def __init__(self, queue: Queue) -> None:
        self.queue = queue

    def after_report(self, run_context: Any, metrics: list[Report], checkpoint: Checkpoint | None) -> None:
        """Called once all workers have reported."""
        self.queue.put(metrics[0])


@contextmanager
def followed(on_report: Callable[[Report], None]) -> Iterator[UserCallback]:
    """A callback for a trainer; ``on_report`` is called in this process, in order, for each report."""
    # Without a CPU of its own, which a worker would lack on a small machine.
    queue = Queue(actor_options={"num_cpus": 0})

    def follow() -> None:
        while (report := queue.get()) is not None:
            on_report(report)

    thread = threading.Thread(target=follow, name="training-reports", daemon=True)
    thread.start()
    try:
        yield ReportForwarder(queue)
    finally:
        # The thread ends after the last report, which may still be in the queue.
        queue.put(None)
        thread.join()
        queue.shutdown()
