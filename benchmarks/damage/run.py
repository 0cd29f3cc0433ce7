"""Bits flipped at random in a built home: is each found, and its file named? python -m benchmarks.damage [--json].

Works on a copy of the home (after `make demo`, or any `remora run`). One bit at a time is flipped at a random place of
a random file of the lake, the features, the ranker's rows, the models, the evaluation or a bundle; then that is opened
as the next step opens it. The flip is found when this is an error, and named when the error has the file's path.
"""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.command import Note, carried_out, common_options
from rich.console import Console
from rich.table import Table

from remora.core.errors import RemoraError
from remora.core.home import Home
from remora.settings import Settings, load

ARTIFACTS = ("lake", "features", "slates", "retrieval", "ranking", "evaluation")


@dataclass(frozen=True)
class Part:
    """Some files of a home, and what a step does before it reads any of them."""

    name: str
    files: list[Path]
    opened: Callable[[], object]


def main() -> None:
    """Flip, and print or write."""
    options = common_options(__doc__)
    options.add_argument("--config", type=Path, help="settings; default: the active home's")
    options.add_argument("--flips", type=int, default=300, help="bits to flip, one at a time")
    options.add_argument("--seed", type=int, default=0, help="of the places")
    chosen = options.parse_args()
    carried_out(
        "damage",
        lambda folder, note: flipped(load(chosen.config), folder, chosen.flips, random.Random(chosen.seed), note),
        facts={"flips": chosen.flips, "seed": chosen.seed},
        out=chosen.out,
        as_json=chosen.json,
        draw=drawn,
    )


def flipped(settings: Settings, folder: Path, flips: int, draw: random.Random, note: Note) -> dict[str, Any]:
    """Flip so many bits, spread evenly over the parts of the home."""
    for name in (*ARTIFACTS, "bundles"):
        shutil.copytree(Path(settings.home) / name, folder / name)
    parts = parts_of(settings.model_copy(update={"home": str(folder)}))
    found: dict[str, dict[str, Any]] = {}
    for part in parts:
        began = time.perf_counter()
        part.opened()
        found[part.name] = {"files": len(part.files), "bytes": sum(file.stat().st_size for file in part.files)}
        found[part.name] |= {
            "seconds_to_open_again": round(time.perf_counter() - began, 4),
            "flips": 0,
            "found": 0,
            "named": 0,
        }
    missed = []
    for number in range(flips):
        part = parts[number % len(parts)]
        file = draw.choice(part.files)
        place, bit = draw.randrange(file.stat().st_size), draw.randrange(8)
        _flip(file, place, bit)
        error = _error(part)
        _flip(file, place, bit)
        row = found[part.name]
        row["flips"] += 1
        row["found"] += error is not None
        row["named"] += error is not None and str(file) in error
        if error is None or str(file) not in error:
            missed.append({"file": str(file.relative_to(folder)), "byte": place, "bit": bit, "error": error})
            note(f"missed: {missed[-1]}")
    for part in parts:
        part.opened()  # every bit is as it was
    named = sum(row["named"] for row in found.values())
    note(f"{named} of {flips} flips named with their file")
    return {"dataset": settings.name, "named": named, "parts": found, "missed": missed}


def parts_of(settings: Settings) -> list[Part]:
    """The current versions of what steps make, with their pointers, and every bundle."""
    from remora.features.tables import features_artifacts
    from remora.ingest.lake import lake_artifacts
    from remora.registry.bundles import Bundles
    from remora.steps.path import SLATES
    from remora.training.ranking import ranking_artifacts
    from remora.training.retrieval import retrieval_artifacts
    from remora.workflow.evaluation import evaluation_artifacts

    home, bundles = Home(settings.home), Bundles(settings)
    makers = (
        lake_artifacts,
        features_artifacts,
        SLATES.artifacts,
        retrieval_artifacts,
        ranking_artifacts,
        evaluation_artifacts,
    )
    parts = []
    for artifacts in (maker(home) for maker in makers):
        version = Path(artifacts.current().at())
        parts.append(Part(artifacts.name, [*_files(version), version.parents[1] / "CURRENT"], artifacts.current))
    ids = list(bundles.store.ids())
    folders = [Path(home.at(f"bundles/{id}")) for id in ids]
    files = [file for folder in folders for file in _files(folder)]
    parts.append(Part("bundles", files, lambda: [bundles.open(id) for id in ids]))
    return parts


def _files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*") if file.is_file() and file.stat().st_size)


def _flip(file: Path, place: int, bit: int) -> None:
    with file.open("r+b") as stream:
        stream.seek(place)
        [byte] = stream.read(1)
        stream.seek(place)
        stream.write(bytes([byte ^ 1 << bit]))


def _error(part: Part) -> str | None:
    try:
        part.opened()
    except RemoraError as error:
        return str(error)
    return None


def drawn(out: Console, result: dict[str, Any]) -> None:
    """One row a part."""
    title = f"{result['named']} of {result['flips']} flipped bits named with their file"
    table = Table(title=title, title_justify="left")
    for name in ("part", "files", "bytes", "flips", "found", "named", "s to open again"):
        table.add_column(name, justify="left" if name == "part" else "right")
    for name, row in result["parts"].items():
        counts = [f"{row[key]:,}" for key in ("files", "bytes", "flips", "found", "named")]
        table.add_row(name, *counts, f"{row['seconds_to_open_again']:.3f}")
    out.print(table)
