"""A shop so small that every command is over in seconds; what a command is to work on changes before each try."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import yaml

KNOWN_THEN = [
    "user_item__category_affinity",
    "candidate__linear_score",
    "candidate__found_by",
    "candidate__co_visited_score",
    "candidate__retrieval_score",
    "candidate__place",
]
"""With so few people these tell so much that they look as if they knew the future."""

PEOPLE, THINGS, EVENTS = 60, 40, 2_400
START, DAY = 1_700_006_400, 86_400  # a midnight, UTC


def write(folder: Path) -> Path:
    """Write the tables and the settings into ``folder``; returns the settings' file. What is there is left alone."""
    file = folder / "settings.yaml"
    if file.exists():
        return file
    draw = np.random.default_rng(5)
    folder.mkdir(parents=True, exist_ok=True)
    who, what = draw.integers(0, PEOPLE, EVENTS), draw.zipf(1.5, EVENTS) % THINGS
    when = START + np.sort(draw.uniform(0, 40 * DAY, EVENTS).astype(int))
    kind = np.where(draw.uniform(size=EVENTS) < 0.6, "view", "buy")
    lines = [f"u{u},i{(u % 4) * 10 + i % 10},{k},{t}" for u, i, k, t in zip(who, what, kind, when, strict=True)]
    (folder / "events.csv").write_text("person,thing,kind,at\n" + "\n".join(lines) + "\n")
    things = [f"i{t},thing {t},shelf {t // 10}" for t in range(THINGS)]
    (folder / "things.csv").write_text("thing,name,shelf\n" + "\n".join(things) + "\n")
    file.write_text(yaml.safe_dump(_settings(folder), sort_keys=False))
    return file


def sell_one_more(folder: Path, number: int) -> None:
    """New data: one more event, of the last day."""
    with (folder / "events.csv").open("a") as file:
        file.write(f"u{number % PEOPLE},i{number % THINGS},buy,{START + 40 * DAY - 1 - number % 3_600}\n")


def change(folder: Path, section: str, key: str, value: Any) -> None:
    """Another setting, so that what depends on it is made again."""
    file = folder / "settings.yaml"
    settings = yaml.safe_load(file.read_text())
    settings.setdefault(section, {})[key] = value
    file.write_text(yaml.safe_dump(settings, sort_keys=False))


def _settings(folder: Path) -> dict[str, Any]:
    def source(table: str, columns: dict[str, str]) -> list[dict[str, Any]]:
        return [{"path": str(folder / f"{table}.csv"), "format": "csv", "columns": columns}]

    events = {"user_id": "person", "item_id": "thing", "event_timestamp": "at", "event_type": "kind"}
    items = {"item_id": "thing", "title": "name", "shelf": "shelf"}
    return {
        "name": "kills",
        "home": str(folder / "home"),
        "data": {
            "clock": "data",
            "events": source("events", events),
            "event_types": {"view": {"weight": 0.3, "sign": 1}, "buy": {"weight": 1.0, "sign": 1}},
            "items": source("things", items),
            "title": "title",
            "category": "shelf",
            "item_columns": ["shelf"],
        },
        "retrieval": {"epochs": 1, "batch_size": 512, "dimension": 8, "workers": 1},
        "ranking": {
            "models": {"trees": {"num_boost_round": 5}},
            "workers": 1,
            "leakage_allowlist": KNOWN_THEN,
        },
        "features": {"partitions": 1, "seen_limit": 100},
        "evaluation": {"bootstrap_samples": 20, "cold_start_holdout_fraction": 0},
        # What is measured here is not the models: every bundle may come into production.
        "gates": {
            "offline": [{"metric": "ndcg", "margin": 1.0}],
            "calibration_error": 1e3,
            "calibration_margin": 1e3,
            "min_coverage": 0.0,
            "min_coverage_ratio": 0.0,
            "max_latency_fraction": 100.0,
            "max_latency_ratio": 1e3,
            "max_memory_ratio": 1e3,
            "min_valid_fraction": 0.01,
            "min_index_recall": 0.1,
            "requests": 10,
            "max_queries": 20,
            "parity_users": 5,
            "latency_rounds": 1,
        },
        "serving": {"timeout_ms": 3_000, "proxy": "python"},
    }
