"""Wall time and peak memory of `make demo`, from an empty home and again: python -m benchmarks.demo.run [DATASET]."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.machine import machine
from benchmarks.memory import measured


def main(dataset: str = "movielens-100k") -> None:
    """Run the demo twice; the first time from nothing but what is installed."""
    subprocess.run(["make", "stop"], check=True)
    shutil.rmtree(Path(".remora") / dataset, ignore_errors=True)
    figures = {}
    for which in ("first", "second"):
        with measured() as usage:
            subprocess.run(["make", "demo", f"DATASET={dataset}"], check=True)
        figures[which] = vars(usage)
    result = {"dataset": dataset, "runs": figures, "sampling": "sum of PSS over the process tree every 0.5 s"}
    out = Path("benchmarks/results") / f"demo_{dataset}.json"
    out.parent.mkdir(exist_ok=True)
    out.write_text(json.dumps(result | {"machine": machine()}, indent=1) + "\n")
    print(out.read_text())


if __name__ == "__main__":
    main(*sys.argv[1:])
