"""What came out, and whether two stages beat one."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from remora.evaluation.report import EvaluationReport
from remora.evaluation.systems import RETRIEVAL, SURFACE

METRICS = (("ndcg", 10), ("recall", 10), ("mrr", 10), ("coverage", 10))
HEADLINE = METRICS[0]


def summarised(
    report: EvaluationReport,
    peers: dict[str, dict[str, Any]],
    seconds: dict[str, float],
    timings: dict[str, dict[str, float]],
) -> dict[str, Any]:
    """Every system's metrics with intervals, the surface less each, and the two questions answered."""
    systems = {
        system: {f"{metric}@{k}": _estimate(report, system, metric, k) for metric, k in METRICS}
        for system in report.systems
    }
    single = [name for name in peers if name in systems]
    less = {system: _difference(report, system) for system in report.systems if system != SURFACE}
    headline = "{}@{}".format(*HEADLINE)
    best = max(single, key=lambda name: systems[name][headline][0]) if single else None
    retrieval, surface = systems[RETRIEVAL][headline][0], systems[SURFACE][headline][0]
    return {
        "queries": report.queries["all"],
        "users": report.users,
        "systems": systems,
        "surface_less": less,
        "best_single": best,
        "beats_best_single": None if best is None else less[best][1] > 0,
        "gain_over_retrieval": surface / retrieval - 1 if retrieval else None,
        "peers": peers,
        "timings": timings,
        "seconds": {name: round(value, 1) for name, value in seconds.items()},
    }


def _estimate(report: EvaluationReport, system: str, metric: str, k: int) -> list[float | None]:
    found = report.estimate(system, metric, k)
    return [found.mean, found.low, found.high]


def _difference(report: EvaluationReport, system: str) -> list[float]:
    found = report.difference(system, *HEADLINE)
    return [found.mean or 0.0, found.low or 0.0, found.high or 0.0]


def verdict(result: dict[str, Any]) -> str:
    """One sentence on each question."""
    best, gain = result["best_single"], result["gain_over_retrieval"]
    said = []
    if best is not None:
        mean, low, high = result["surface_less"][best]
        beats = "beats" if low > 0 else "loses to" if high < 0 else "is not shown to differ from"
        said.append(
            f"The surface {beats} the best single model, {best}: NDCG@10 {mean:+.4f} ({low:+.4f} to {high:+.4f})."
        )
    if gain is not None:
        said.append(f"It is {100 * gain:+.1f}% above retrieval alone.")
    return " ".join(said)


def drawn(out: Console, result: dict[str, Any]) -> None:
    """The table, and the verdict."""
    title = f"{result['data']}: {result['queries']:,} queries of {result['users']:,} users"
    table = Table(title=title, title_justify="left")
    for name in ("", *(f"{metric}@{k}" for metric, k in METRICS), "surface less it, NDCG@10"):
        table.add_column(name, justify="right" if name else "left")
    for system, found in result["systems"].items():
        row = [system]
        for mean, low, high in found.values():
            interval = "" if low is None else f"\n{low:.4f}…{high:.4f}"
            row.append("–" if mean is None else f"{mean:.4f}{interval}")
        less = result["surface_less"].get(system)
        table.add_row(*row, "" if less is None else "{:+.4f}\n{:+.4f}…{:+.4f}".format(*less))
    out.print(table)
    for peer, one in result["peers"].items():
        if "failed" in one:
            out.print(f"{peer} failed: {one['failed']}", highlight=False)
        else:
            out.print(f"{peer}: best of {one['trials']} trials {one['chosen']}", highlight=False)
    out.print(verdict(result), highlight=False)
