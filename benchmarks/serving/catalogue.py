"""A bundle of a million items, from nothing: python -m benchmarks.serving.catalogue FOLDER [--items 1000000].

Events of a generated shop go the whole path of ``remora run``, with little training: what it costs to serve a catalogue
depends on its size and not on how well the models know it. Then ``python -m benchmarks.serving --config
FOLDER/settings.yaml`` measures it.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import yaml
from benchmarks.ingest.events import generate

SETTINGS = {
    "name": "generated",
    "retrieval": {"epochs": 1, "batch_size": 4096, "learning_rate": 0.004, "uniform_negatives": 1024},
    "ranking": {
        "train_queries": 800,
        "validation_queries": 400,
        "trees": {"rounds": 100},
        "objectives": {"engaged": {"events": ["view", "cart", "purchase"]}},
    },
    "evaluation": {
        "queries_per_user": 1,
        "every_events": 500,
        "snapshots": 1,
        "cutoffs": [10],
        "bootstrap_samples": 100,
    },
}


def settings(folder: Path) -> dict[str, object]:
    """The generated shop as its user would describe it."""
    events = {
        "path": str(folder / "events"),
        "format": "parquet",
        "columns": {
            "user_id": "user_id",
            "item_id": "item_id",
            "event_timestamp": "timestamp",
            "event_type": "kind",
            "value": "price",
        },
    }
    items = {
        "path": str(folder / "items.parquet"),
        "format": "parquet",
        "columns": {name: name for name in ("item_id", "title", "category", "price")},
    }
    data = {
        "clock": "data",
        "events": [events],
        "items": [items],
        "event_types": {"view": {"weight": 0.2}, "cart": {"weight": 0.5}, "purchase": {"weight": 1.0}},
        "title": "title",
        "category": "category",
        "item_columns": ["price"],
    }
    return {**SETTINGS, "home": str(folder / "home"), "data": data}


def main() -> None:
    """Generate what is not there yet, and run the path."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("folder", type=Path)
    for name, default in (("events", 3_000_000), ("users", 60_000), ("items", 1_000_000), ("days", 60), ("files", 8)):
        parser.add_argument(f"--{name}", type=int, default=default)
    wanted = vars(parser.parse_args())
    folder: Path = wanted.pop("folder").resolve()
    if not (folder / "items.parquet").exists():
        generate(folder, **wanted)
    described = folder / "settings.yaml"
    described.write_text(yaml.safe_dump(settings(folder), sort_keys=False))
    remora = [sys.executable, "-m", "remora.cli.main", "run", "--config", str(described)]
    sys.exit(subprocess.run(remora, check=False).returncode)


if __name__ == "__main__":
    main()
