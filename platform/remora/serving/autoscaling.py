"""How many replicas a deployment should have: by its queue, and by how long requests wait inside replicas."""

from __future__ import annotations

from typing import Any

from ray.serve.config import AutoscalingContext

LATE = "late_share"
"""Name of the metric that replicas report: see :class:`remora.serving.stage_pool.QueueDelay`."""

TOLERATED = 0.01


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
