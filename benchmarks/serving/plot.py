"""Latency against the rate of requests, of benchmarks/results: python -m benchmarks.serving.plot."""

from __future__ import annotations

import json
from pathlib import Path

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot as plt
from matplotlib.ticker import LogLocator, NullFormatter

RESULTS = Path("benchmarks/results")


def main() -> None:
    """Write benchmarks/results/serving_<data>.svg for each result."""
    files = sorted(RESULTS.glob("serving_*.json"))
    if not files:
        raise SystemExit("There are no benchmarks/results/serving_*.json; run python -m benchmarks.serving --out.")
    for file in files:
        drawn(json.loads(file.read_text()), file.with_suffix(".svg"))


def drawn(result: dict, target: Path) -> None:
    """p50 and p99 of the open loop at shares of each system's saturation."""
    figure, axes = plt.subplots(1, 2, figsize=(9, 4.2), sharex=True, layout="constrained")
    for axis, quantile in zip(axes, ("p50", "p99"), strict=True):
        for name, system in result["systems"].items():
            points = [
                (at["requests_per_second"], at["open_loop"][f"{quantile}_ms"]) for at in system.get("at", {}).values()
            ]
            if points:
                axis.plot(*zip(*points, strict=True), marker=".", linewidth=1, label=name)
        axis.set_xscale("log")
        axis.set_yscale("log")
        axis.set_xlabel("requests/s, open loop", fontsize=8)
        axis.set_ylabel(f"{quantile}, ms", fontsize=8)
        axis.tick_params(labelsize=7)
        axis.grid(alpha=0.3, which="both")
        for scale in (axis.xaxis, axis.yaxis):
            scale.set_major_locator(LogLocator(subs=(1, 2, 5)))
            scale.set_major_formatter("{x:g}")
            scale.set_minor_formatter(NullFormatter())
    figure.legend(*axes[0].get_legend_handles_labels(), fontsize=7, ncols=4, loc="outside lower center")
    figure.suptitle(f"{result['dataset']}: a quarter, a half, three quarters of what each can do", fontsize=9)
    figure.savefig(target, metadata={"Date": None})


if __name__ == "__main__":
    main()
