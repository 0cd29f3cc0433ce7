"""A small shop with taste in it: people who like one or two of six categories, over seventy days."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import yaml

CATEGORIES = ("garden", "kitchen", "music", "sport", "toys", "travel")
START = 1_700_006_400  # a midnight, UTC
DAY = 86_400
TASTE = {"type": "causal_transformer", "layers": 1}
RULES = {"seed_item": {}, "seen_items": {}, "unavailable_items": {}}


def write(
    folder: Path, *, people: int = 240, things: int = 180, events: int = 9_000, seed: int = 11, refit: bool = True
) -> Path:
    """Write events, users, items and the settings file into ``folder``; returns the settings file.

    Without ``refit`` the ranker is not learned again from the validation window, which takes as long again.
    """
    draw = np.random.default_rng(seed)
    category = draw.integers(0, len(CATEGORIES), things)
    appeal = draw.zipf(1.6, things).clip(max=50).astype(float)
    taste = np.full((people, len(CATEGORIES)), 0.3)
    for column in (0, 1):
        taste[np.arange(people), draw.integers(0, len(CATEGORIES), people)] += 8.0 - 4 * column
    who = np.sort(draw.choice(people, events, p=_shares(draw.pareto(1.5, people) + 0.3)))
    what = np.empty(events, np.int64)
    for person in range(people):
        mine = np.flatnonzero(who == person)
        wanted = _shares(appeal * taste[person, category])
        what[mine] = draw.choice(things, len(mine), p=wanted)
    first = draw.uniform(0, 50, people)[who]
    when = START + ((first + draw.uniform(0, 1, events) * (70 - first)) * DAY).astype(np.int64)
    kind = np.where(draw.uniform(size=events) < 0.7, "view", "buy")

    folder.mkdir(parents=True, exist_ok=True)
    pl.DataFrame(
        {
            "person": [f"u{w}" for w in who],
            "thing": [f"i{w}" for w in what],
            "kind": kind,
            "at": when,
            "amount": draw.uniform(1, 9, events).round(2),
        }
    ).sort("at").write_csv(folder / "events.csv")
    pl.DataFrame(
        {"person": [f"u{p}" for p in range(people)], "country": draw.choice(["fr", "uk", "us"], people)}
    ).write_csv(folder / "people.csv")
    pl.DataFrame(
        {
            "thing": [f"i{t}" for t in range(things)],
            "name": [f"{CATEGORIES[c]} thing {t}" for t, c in enumerate(category)],
            "shelf": [CATEGORIES[c] for c in category],
            "price": draw.uniform(1, 90, things).round(2),
            "on_sale": draw.uniform(size=things) > 0.05,
        }
    ).write_csv(folder / "things.csv")
    return _settings(folder, refit)


def _shares(weights: np.ndarray) -> np.ndarray:
    return weights / weights.sum()


def _settings(folder: Path, refit: bool) -> Path:
    settings = {
        "name": "small-shop",
        "data": {
            "clock": "data",
            "events": [
                {
                    "path": str(folder / "events.csv"),
                    "format": "csv",
                    "columns": {
                        "user_id": "person",
                        "item_id": "thing",
                        "event_timestamp": "at",
                        "event_type": "kind",
                        "value": "amount",
                    },
                }
            ],
            "event_types": {"view": {"weight": 0.3, "sign": 1}, "buy": {"weight": 1.0, "sign": 1}},
            "users": [
                {
                    "path": str(folder / "people.csv"),
                    "format": "csv",
                    "columns": {"user_id": "person", "country": "country"},
                }
            ],
            "items": [
                {
                    "path": str(folder / "things.csv"),
                    "format": "csv",
                    "columns": {
                        "item_id": "thing",
                        "title": "name",
                        "shelf": "shelf",
                        "price": "price",
                        "on_sale": "on_sale",
                    },
                    "types": {"price": "number", "on_sale": "boolean"},
                }
            ],
            "title": "title",
            "category": "shelf",
            "available": "on_sale",
            "user_columns": ["country"],
            "item_columns": ["price", "shelf"],
            "text_columns": ["title"],
        },
        "retrieval": {
            "epochs": 3,
            "batch_size": 512,
            "dimension": 16,
            "workers": 2,
            "models": {"taste": {"type": "sequential", "dimension": 16, "encoder": TASTE, "length": 20, "epochs": 2}},
        },
        "surfaces": {
            "next_up": {
                "sources": {"next": {"type": "nearest_items", "model": "taste"}},
                "filters": RULES,
                "backfill": "popular",
            },
            "alike": {
                "needs_item": True,
                "sources": {"goes_with": {"type": "similar_vectors", "model": "taste"}},
                "filters": RULES,
                "backfill": "popular",
            },
        },
        "ranking": {
            "models": {"trees": {"num_boost_round": 30}, "network": {"epochs": 3}},
            "workers": 2,
            "refit": refit,
        },
        "features": {"partitions": 4},
        "serving": {"timeout_ms": 60_000, "max_timeout_ms": 60_000},  # slates are compared, on whatever machine
        "evaluation": {"bootstrap_samples": 200, "cutoffs": [10, 50]},
    }
    file = folder / "settings.yaml"
    file.write_text(yaml.safe_dump(settings, sort_keys=False))
    return file
