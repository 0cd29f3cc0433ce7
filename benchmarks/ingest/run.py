"""Wall time and peak memory of ten million generated events through ingest and the feature build.

    python -m benchmarks.ingest.run --stage ingest,features

Writes benchmarks/results/ingest.json and prints the same as a table.
"""

from __future__ import annotations

import argparse
import json
import os
import platform as machine
import tempfile
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

os.environ.setdefault("RAY_AUTH_MODE", "disabled")  # Ray reads it when it is imported

import psutil
import ray
from benchmarks.ingest.events import described, generate
from benchmarks.memory import INTERVAL_SECONDS, Usage, measured
from rich.console import Console
from rich.table import Table

from remora.features.build import build
from remora.ingest.ingest import ingest
from remora.settings import Settings

RESULTS = Path(__file__).parents[1] / "results" / "ingest.json"


def settings_for(folder: Path) -> Settings:
    """Of the generated shop, in a home beside its tables."""
    return Settings(name="generated", home=str(folder / "home"), data=described(folder))


STAGES = {
    "ingest": ingest,
    "features": build,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stage", default="ingest,features")
    parser.add_argument("--folder", type=Path, help="where the tables and the home go; kept. Default: a temporary one")
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--users", type=int, default=200_000)
    parser.add_argument("--items", type=int, default=50_000)
    parser.add_argument("--days", type=int, default=60)
    parser.add_argument("--files", type=int, default=8)
    parser.add_argument("--object-store-mb", type=int, default=1_000)
    parser.add_argument("--cpus", type=int, default=max(2, os.cpu_count() or 2))
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="rb") as scratch:
        folder = wanted.folder or Path(scratch)
        if not (folder / "items.parquet").exists():
            sizes = {name: getattr(wanted, name) for name in ("events", "users", "items", "days", "files")}
            generate(folder, **sizes)
        used = run(settings_for(folder), wanted.stage.split(","), wanted.cpus, wanted.object_store_mb, f"{scratch}/ray")
    report(vars(wanted), used)


def run(settings: Settings, stages: list[str], cpus: int, object_store_mb: int, temp: str) -> dict[str, Usage]:
    """Each stage measured by itself, on one cluster."""
    ray.init(
        address="local",
        num_cpus=cpus,
        object_store_memory=object_store_mb << 20,
        include_dashboard=False,
        log_to_driver=False,
        _temp_dir=temp,
    )
    ray.data.DataContext.get_current().enable_progress_bars = False
    used = {}
    try:
        for stage in stages:
            with measured() as used[stage]:
                STAGES[stage](settings)
    finally:
        ray.shutdown()
    return used


def report(wanted: dict, used: dict[str, Usage]) -> None:
    """Print the table and write the raw numbers."""
    table = Table("stage", "wall", "peak of all processes", "events a second")
    for stage, usage in used.items():
        peak, rate = usage.peak_bytes / 2**30, wanted["events"] / usage.wall_seconds
        table.add_row(stage, f"{usage.wall_seconds:.0f} s", f"{peak:.2f} GiB", f"{rate:,.0f}")
    Console().print(table)
    raw = {
        "asked": {name: value for name, value in wanted.items() if name != "folder"},
        "stages": {stage: asdict(usage) for stage, usage in used.items()},
        "sampling": f"sum of PSS over the process tree every {INTERVAL_SECONDS} s",
        "machine": {
            "cpus": os.cpu_count(),
            "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
            "platform": machine.platform(),
            "load_average_at_the_end": os.getloadavg(),
        },
        "versions": {name: version(name) for name in ("remora", "ray", "pyarrow", "polars", "duckdb")},
    }
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(raw, indent=1) + "\n")


if __name__ == "__main__":
    main()
