"""Validation quality against training time, of benchmarks/results: python -m benchmarks.retrieval.plot."""

from __future__ import annotations

import json
from pathlib import Path

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot as plt

RESULTS = Path("benchmarks/results")


def main() -> None:
    """Write benchmarks/results/retrieval.svg."""
    files = sorted(file for file in RESULTS.glob("retrieval_*.json") if file.stem != "retrieval_seeds")
    if not files:
        raise SystemExit("There are no benchmarks/results/retrieval_*.json; run python -m benchmarks.retrieval --out.")
    figure, axes = plt.subplots(1, len(files), figsize=(4.2 * len(files), 3.4), squeeze=False, layout="constrained")
    for axis, file in zip(axes[0], files, strict=True):
        result = json.loads(file.read_text())
        metric = next(name for name in result["training"][0] if name.startswith("ndcg"))
        seconds = [epoch["seconds"] for epoch in result["training"]]
        axis.plot(seconds, [epoch[metric] for epoch in result["training"]], marker=".", linewidth=1)
        axis.set_title(f"{result['data_folder']}, {result['protocol']}", fontsize=9)
        axis.set_xlabel("seconds of training, 2 shared cores", fontsize=8)
        axis.set_ylabel(f"{metric} of the tower, validation", fontsize=8)
        axis.tick_params(labelsize=7)
        axis.set_ylim(bottom=0)
        axis.grid(alpha=0.3)
    figure.savefig(RESULTS / "retrieval.svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
