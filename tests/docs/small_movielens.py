"""MovieLens-100K in small: files in its format, and the settings of config/ with little to train and to measure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import yaml
from tests.docs.pages import ROOT

CONFIG = "config/movielens_100k.yaml"
GENRES = ("Action", "Comedy", "Drama", "Musical")
START, DAY = 878_000_000, 86_400
PEOPLE, FILMS, RATINGS, DAYS = 943, 120, 7_000, 60

SMALL: dict[str, dict[str, Any]] = {
    "cluster": {"object_store_gib": 0.3},
    "features": {"partitions": 2},
    "retrieval": {"epochs": 1, "batch_size": 256, "dimension": 16, "uniform_negatives": 64, "workers": 1},
    "ranking": {
        "objectives": {"liked": {"events": ["like"], "weight": 1.0}},  # one training of trees in place of two
        "models": {"trees": {"num_boost_round": 10}},
        "workers": 1,
        "train_queries": 300,
        "validation_queries": 100,
    },
    "evaluation": {"cold_start_holdout_fraction": 0.0, "bootstrap_samples": 50, "max_queries": 100, "max_snapshots": 2},
    "gates": {"requests": 20, "max_queries": 50, "latency_rounds": 1, "parity_users": 5},
    "rollout": {"min_requests": 5, "max_wait_factor": 1_000, "bake_seconds": 1, "poll_seconds": 0.5},
}

FORGIVING: dict[str, dict[str, Any]] = {
    "gates": {
        "offline": [{"metric": "ndcg", "margin": 1.0}],
        "confidence_level": 0.1,
        "calibration_error": 1.0,
        "calibration_margin": 1.0,
        "min_coverage_ratio": 0.5,
        "max_latency_ratio": 100.0,
        "max_memory_ratio": 100.0,
    },
    "rollout": {"max_score_shift": 1e6, "min_overlap": 0.0},
}
"""Bounds that two models of so little data keep, though they differ by more than larger ones would."""


def write(folder: Path, *, port: int) -> None:
    """Write the settings file that the pages name, and the data where it expects what was downloaded."""
    settings = yaml.safe_load((ROOT / CONFIG).read_text())
    del settings["data"]["dataset"]  # the data is here
    for section, values in SMALL.items():
        settings[section] = settings.get(section, {}) | values | FORGIVING.get(section, {})
    # However slow the machine is, no answer comes from the fallback chain.
    settings["serving"] = {"port": port, "timeout_ms": 60_000, "max_timeout_ms": 60_000, "traffic_poll_seconds": 0.2}
    file = folder / CONFIG
    file.parent.mkdir()
    # A line each section, as in the file that a page's `sed` changes.
    sections = (
        yaml.safe_dump({name: value}, sort_keys=False, default_flow_style=True, width=100_000)
        for name, value in settings.items()
    )
    file.write_text("".join(section.strip()[1:-1] + "\n" for section in sections))
    _write_tables(folder / ".remora" / settings["name"] / "raw" / "movielens-100k")


def _write_tables(raw: Path) -> None:
    draw = np.random.default_rng(5)
    genre = draw.integers(0, len(GENRES), FILMS)
    taste = draw.integers(0, len(GENRES), PEOPLE)
    pairs = draw.permutation(PEOPLE * FILMS)[:RATINGS]
    who, what = pairs // FILMS, pairs % FILMS
    rating = np.where(taste[who] == genre[what], draw.integers(4, 6, RATINGS), draw.integers(1, 5, RATINGS))
    when = START + draw.integers(0, DAYS * DAY, RATINGS)
    people = [f"{p + 1}\t{20 + p % 50}\t{'MF'[p % 2]}\tother\t00000" for p in range(PEOPLE)]
    films = [f"{f + 1}\tFilm {f + 1}\t{1950 + f % 48}\t{GENRES[g]}" for f, g in enumerate(genre)]
    ratings = [f"{u + 1}\t{i + 1}\t{r}\t{t}" for u, i, r, t in zip(who, what, rating, when, strict=True)]
    raw.mkdir(parents=True)
    for name, header, rows in (
        ("ml-100k.user", "user_id:token age:token gender:token occupation:token zip_code:token", people),
        ("ml-100k.item", "item_id:token movie_title:token_seq release_year:token class:token_seq", films),
        ("ml-100k.inter", "user_id:token item_id:token rating:float timestamp:float", ratings),
    ):
        (raw / name).write_text("\n".join(["\t".join(header.split()), *rows]) + "\n")
