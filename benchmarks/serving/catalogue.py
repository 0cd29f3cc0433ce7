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
from benchmarks.ingest.events import described, generate

SETTINGS = {
    "name": "generated",
    "retrieval": {
        "epochs": 1,
        "batch_size": 4096,
        "learning_rate": 0.004,
        "uniform_negatives": 1024,
        "models": {"linear": {"max_items": 2_000}},
    },
    "ranking": {
        "train_queries": 800,
        "validation_queries": 400,
        "models": {"trees": {"num_boost_round": 100}},
        "objectives": {"engaged": {"events": ["view", "cart", "purchase"]}},
    },
    "evaluation": {
        "queries_per_user": 1,
        "max_queries": 500,
        "events_between_queries": 500,
        "max_snapshots": 1,
        "cutoffs": [10],
        "bootstrap_samples": 100,
    },
    "gates": {"min_coverage": 0.0},  # what is drawn at random teaches nothing but what is popular
}


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
    settings = {**SETTINGS, "home": str(folder / "home"), "data": {"clock": "data", **described(folder)}}
    written = folder / "settings.yaml"
    written.write_text(yaml.safe_dump(settings, sort_keys=False))
    remora = [sys.executable, "-m", "remora.cli.main", "run", "--config", str(written)]
    sys.exit(subprocess.run(remora, check=False).returncode)


if __name__ == "__main__":
    main()
