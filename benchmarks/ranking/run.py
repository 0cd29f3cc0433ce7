"""What scoring 500 candidates takes, by model and by way of running trees: python -m benchmarks.ranking [--json].

Reads the ranker that `remora train ranking` made in --home, with `ranking.models: {network: {}}`, and rows
of its validation window. One thread. Trees are run by XGBoost and, in --compiled, by other libraries; each margin is
compared with XGBoost's own.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.command import Note, carried_out, common_options
from rich.console import Console
from rich.table import Table

from remora.core.errors import NotReady
from remora.core.home import Home
from remora.datasets.labelled_slates import slates_of
from remora.ingest.lake import Lake
from remora.ranking.models.trees import Trees, file
from remora.ranking.ranker import Ranker
from remora.ranking.timing import CANDIDATES, one_slate, timed
from remora.retrieval.two_tower import Towers
from remora.settings import load
from remora.settings.load import WRITTEN
from remora.steps.path import SLATES
from remora.training import ranking_examples
from remora.training.ranking import ranking_artifacts
from remora.training.retrieval import retrieval_artifacts

HERE, VENV, TIMES = Path(__file__).parent, Path(".remora/compiled"), 300


def main() -> None:
    """Run, and print or write."""
    options = common_options(__doc__)
    options.add_argument("--home", type=Path, required=True, help="the home whose ranker is timed")
    options.add_argument("--compiled", type=Path, default=VENV, help=f"virtual environment of {HERE.name}/compiled.txt")
    chosen = options.parse_args()
    carried_out(
        "ranking",
        lambda folder, note: measured(chosen.home, chosen.compiled, folder, note),
        facts={"candidates": CANDIDATES, "times": TIMES, "threads": 1},
        out=chosen.out,
        as_json=chosen.json,
        draw=drawn,
    )


def measured(home_folder: Path, venv: Path, folder: Path, note: Note) -> dict[str, Any]:
    """Each model, and each way of running the trees of the first objective."""
    home = Home(str(home_folder))
    made = ranking_artifacts(home).current()
    settings, towers = load(home_folder / WRITTEN), home.local_copy(retrieval_artifacts(home).current().folder)
    vectors = Towers.load(towers, settings.retrieval.history_encoder).encoder.item_vectors
    ranker = Ranker.load(home.local_copy(made.folder), settings.ranking.learned, vectors)
    window = ranking_examples.read(SLATES.artifacts(home).current(), ranking_examples.VALIDATION)
    batch = slates_of(*window, ranker.columns, Lake.open(home).vocabulary()).batch
    models = {name: timed(model.margins, batch, TIMES).model_dump() for name, model in ranker.models.items()}
    note(f"models: {models}")
    trees = ranker.models.get("trees")
    if not isinstance(trees, Trees):
        raise NotReady("The ranker has no trees. Train it with `trees` in ranking.models.")
    objective = ranker.objectives[0]
    trees.save(folder)
    np.save(folder / "rows.npy", one_slate(batch, CANDIDATES).features)
    python = venv / "bin" / "python"
    if not python.exists():
        raise NotReady(
            f"There is no {python}. Make it with\n\n  python3.11 -m venv {venv}\n  {venv}/bin/pip install -r "
            f"benchmarks/ranking/compiled.txt"
        )
    command = [python, HERE / "drive_compiled.py", folder / file(objective), folder / "rows.npy", str(TIMES)]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=True)
    ways = {name: summarised(found) for name, found in json.loads(done.stdout.splitlines()[-1]).items()}
    return {
        "features": len(ranker.columns.columns),
        "objectives": list(ranker.objectives),
        "rounds": {name: booster.num_boosted_rounds() for name, booster in trees.boosters.items()},
        "models": models,
        "ways": ways,
    }


def summarised(found: dict[str, Any]) -> dict[str, Any]:
    """Percentiles of one way; exact when no margin differs by more than rounding."""
    if "failed" in found:
        return found
    return {
        "p50_ms": round(float(np.percentile(found["ms"], 50)), 4),
        "p99_ms": round(float(np.percentile(found["ms"], 99)), 4),
        "prepare_seconds": round(found["prepare_seconds"], 2),
        "difference": found["difference"],
    }


def drawn(out: Console, result: dict[str, Any]) -> None:
    """Two tables."""
    table = Table(title=f"{CANDIDATES} candidates, one thread", title_justify="left")
    for name in ("model", "p50 ms", "p99 ms", "rows/s"):
        table.add_column(name, justify="left" if name == "model" else "right")
    for name, one in result["models"].items():
        table.add_row(name, f"{one['p50_ms']:.2f}", f"{one['p99_ms']:.2f}", f"{one['rows_per_second']:,.0f}")
    out.print(table)
    table = Table(title="Ways to run the trees of one objective", title_justify="left")
    for name in ("way", "p50 ms", "p99 ms", "prepare s", "largest difference"):
        table.add_column(name, justify="left" if name == "way" else "right")
    for name, one in result["ways"].items():
        if "failed" in one:
            table.add_row(name, one["failed"])
        else:
            numbers = (f"{one['p50_ms']:.2f}", f"{one['p99_ms']:.2f}", f"{one['prepare_seconds']:.1f}")
            table.add_row(name, *numbers, f"{one['difference']:.1e}")
    out.print(table)
