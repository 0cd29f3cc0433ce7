"""A served slate."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from remora.feedback.served_slate import ServedItem, ServedSlate

SOURCES = ["nearest_items", "co_visited"]
AT = datetime(2026, 11, 30, 12, 0, 0, 250_000, tzinfo=UTC)


def slate(number: int = 1, **changes: Any) -> ServedSlate:
    items = (
        ServedItem("P1", 1, 0.5, 1.0, tuple(SOURCES)),
        ServedItem("P2", 2, None, 1.0, ()),
    )
    values: dict[str, Any] = {
        "request_id": f"r{number}", "served_at": AT, "user_id": "101", "surface": "home_feed", "bundle": "b",
        "variant": "production", "requested": 3, "items": items, "context": {"page": "home"},
        "degraded": ("user_unknown: why",), "fallback": False, "counts": {}, "timings_ms": {"total": 4.25},
        "within_ms": 150.0, "predictions": {"bought": (0.25, 0.125)},
    }  # fmt: skip
    return ServedSlate(**(values | changes))
