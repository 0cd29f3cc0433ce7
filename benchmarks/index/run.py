"""Kinds of index side by side and the one chosen for a recall target: python -m benchmarks.index [--json]."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from benchmarks.machine import machine
from benchmarks.memory import measured
from rich.console import Console
from rich.table import Table

from remora.retrieval.index_selection import Budget, choose, described

ITEMS, DIMENSION, TASTES, QUESTIONS, SEED = 1_000_000, 64, 5_000, 200, 7

Vectors = npt.NDArray[np.float32]


def drawn(items: int, questions: int, seed: int) -> tuple[Vectors, Vectors]:
    """Unit vectors in clouds of unequal size, as towers give them, and users near some of the clouds."""
    draw = np.random.default_rng(seed)
    centres = draw.normal(size=(TASTES, DIMENSION)).astype(np.float32)
    sizes = draw.zipf(1.3, TASTES).clip(max=2_000).astype(float)

    def near(n: int, spread: float) -> Vectors:
        found = centres[draw.choice(TASTES, n, p=sizes / sizes.sum())]
        found = found + spread * draw.normal(size=found.shape).astype(np.float32)
        return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True), np.float32)

    return near(items, 0.8), near(questions, 0.8)


def main() -> None:
    """Run, print, and write benchmarks/results/index.json."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options.add_argument("--items", type=int, default=ITEMS)
    options.add_argument("--k", type=int, default=500)
    options.add_argument("--recall", type=float, default=0.98)
    chosen = options.parse_args()
    vectors, questions = drawn(chosen.items, QUESTIONS, SEED)
    note = Console(stderr=True)
    with measured() as usage:
        choice = choose(
            vectors,
            questions,
            Budget(recall=chosen.recall, k=chosen.k),
            on_measured=lambda found: note.print(f"{found.kind}: {described(found)}", highlight=False),
        )
    result: dict[str, Any] = {
        "benchmark": "index",
        "items": chosen.items,
        "dimension": DIMENSION,
        "questions": QUESTIONS,
        "seed": SEED,
        "k": chosen.k,
        "target": chosen.recall,
        "chosen": choice.chosen,
        "kinds": [row.as_row() for row in choice.measured],
        "wall_seconds": round(usage.wall_seconds, 1),
        "peak_gib": round(usage.peak_bytes / (1 << 30), 2),
        "machine": machine(),
    }
    target = Path("benchmarks/results/index.json")
    target.write_text(json.dumps(result, indent=1) + "\n")
    if chosen.json:
        print(target.read_text())
    else:
        _draw(Console(), result)


def _draw(out: Console, result: dict[str, Any]) -> None:
    title = f"{result['items']:,} vectors of {result['dimension']}, recall@{result['k']} of at least {result['target']}"
    table = Table(title=title, title_justify="left")
    for name in ("kind", "effort", "recall", "queries/s, one thread", "build s", "MiB", ""):
        table.add_column(name, justify="left" if name in ("kind", "") else "right")
    for row in result["kinds"]:
        mark = "chosen" if row["kind"] == result["chosen"] else row["note"]
        recall = "" if row["recall"] is None else f"{row['recall']:.4f}"
        numbers = [f"{row[name]:,}" for name in ("queries_per_second", "build_seconds", "memory_mib")]
        table.add_row(row["kind"], str(row["effort"]), recall, *numbers, mark)
    out.print(table)


if __name__ == "__main__":
    main()
