"""What settings say to use the package's components: one entry for each."""

from __future__ import annotations

from typing import Any

MOST = 40.0
"""Price of the dearest item of the home feed."""

CHANGES: dict[str, Any] = {
    "retrieval": {
        "history_encoder": {"type": "gru", "units": 24},
        "loss": "bpr_max",
        "models": {"weekday_popularity": {}},
    },
    "features": {"transforms": {"user_weekend": {}}},
    "ranking": {"models": {"trees": None, "network": None, "boosted": {"type": "lightgbm", "rounds": 20}}},
    "surfaces": {
        "home_feed": {
            "hydrators": {"cart_items": {}},
            "sources": {"popular_on_weekday": {"limit": 30}},
            "filters": {"price_limit": {"most": MOST}},
        },
        "today": {"pipeline": "today"},
    },
    "evaluation": {"metrics": ["ndcg", "recall", "coverage", "precision"]},
}


def over(settings: dict[str, Any], changes: dict[str, Any] = CHANGES) -> dict[str, Any]:
    """The settings with the changes, section by section; what is no section is replaced."""
    merged = dict(settings)
    for name, value in changes.items():
        there = settings.get(name)
        merged[name] = over(there, value) if isinstance(there, dict) and isinstance(value, dict) else value
    return merged
