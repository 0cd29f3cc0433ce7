"""How many replicas a deployment should have: by its queue, and by how long requests wait inside replicas."""

from __future__ import annotations

import os
from typing import Any

from ray.serve.config import AutoscalingContext

from remora.settings import Settings

LATE = "late_share"
"""Name of the metric that replicas report: see :class:`remora.serving.stage_pool.QueueDelay`."""

TOLERATED = 0.01

MOST_REPLICAS = 4


def most_replicas(settings: Settings) -> int:
    """Of each deployment, by ``serving.max_replicas``.

    Without it four, and on a machine by itself no more than it has cores: replicas that share a core take it from each
    other, and their start, seconds of it, from those that answer, which then are late and ask for more.
    """
    chosen = settings.serving.max_replicas
    if chosen is None:
        is_alone = settings.cluster.address is None and "RAY_ADDRESS" not in os.environ
        chosen = min(MOST_REPLICAS, os.cpu_count() or 1) if is_alone else MOST_REPLICAS
    return max(settings.serving.min_replicas, chosen)


def by_queue_and_waits(context: AutoscalingContext) -> tuple[float, dict[str, Any]]:
    """Replicas wanted, before Serve's own bounds and delays, and a state that is not needed.

    Enough that each has ``target_ongoing_requests``, counting those that are queued. Where more than one request in a
    hundred starts late in any replica, at least one more than now: stages have become slower than the target assumes,
    as when a bundle grows, and so many requests at once are too many.
    """
    assert context.config is not None
    wanted = context.total_num_requests / context.config.target_ongoing_requests
    late = (context.aggregated_metrics or {}).get(LATE, {})
    if late and max(late.values()) > TOLERATED:
        wanted = max(wanted, context.current_num_replicas + 1)
    return wanted, {}
