"""Regret by day of benchmarks/results/weeks.json: python -m benchmarks.weeks.plot."""

from __future__ import annotations

import json
from pathlib import Path

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot as plt

RESULT = Path("benchmarks/results/weeks.json")
TARGET = Path("docs/benchmarks/simulated_weeks.svg")


def main() -> None:
    """Write docs/benchmarks/simulated_weeks.svg."""
    if not RESULT.is_file():
        raise SystemExit(f"There is no {RESULT}; run python -m benchmarks.weeks --out {RESULT}.")
    drawn(json.loads(RESULT.read_text()), TARGET)


def drawn(result: dict, target: Path) -> None:
    """The mean regret of a request by day and arm, with intervals over users, and where bundles came."""
    plt.rcParams["svg.hashsalt"] = "weeks"  # names within the file that are equal when it is drawn again
    figure, axis = plt.subplots(figsize=(8, 3.8), layout="constrained")
    first = min(day["day"] for days in result["by_day"].values() for day in days)
    for name, days in result["by_day"].items():
        at = [day["day"] - first + 1 for day in days]
        low, high = zip(*(day["interval"] for day in days), strict=True)
        [line] = axis.plot(at, [day["regret"] for day in days], marker=".", linewidth=1, label=name)
        axis.fill_between(at, low, high, alpha=0.15, color=line.get_color(), linewidth=0)
    for week in result["bundles"]["weeks"][:-1]:
        axis.axvline(week["until_day"] - first + 0.5, color="grey", linewidth=0.8, linestyle=":")
    axis.set_xlabel("day; dotted: a bundle's canary begins", fontsize=8)
    axis.set_ylabel("regret of a request, expected reward", fontsize=8)
    axis.tick_params(labelsize=7)
    axis.set_ylim(bottom=0)
    axis.grid(alpha=0.3)
    axis.legend(fontsize=7)
    figure.savefig(target, metadata={"Date": None})
    plt.close(figure)


if __name__ == "__main__":
    main()
