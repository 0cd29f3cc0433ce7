"""Bundles swapped and rolled back under load: python -m benchmarks.swaps (after `make demo`) [--json].

Three bundles that differ in a setting take turns, each loaded again, while requests come at a fixed rate from a process
of their own; then `remora rollback` is given as a command. What callers saw, what it took, and what memory became.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl
import psutil
from benchmarks.command import Note, carried_out, common_options
from benchmarks.endpoint import behind, endpoint
from benchmarks.known_users import known_users
from benchmarks.load import Load
from rich.console import Console
from rich.table import Table

from remora.settings import load

BUNDLES, REPLICAS = 3, 2
BY, WHY = "benchmark", "swaps"
LOOKS_EVERY = 10
PATIENCE_SECONDS = 120.0


def main() -> None:
    """Run, and print or write."""
    options = common_options(__doc__)
    options.add_argument("--config", type=Path, help="settings; default: the active home's")
    options.add_argument("--topology", choices=("fused", "graph"), default="fused")
    options.add_argument("--rate", type=float, default=20.0, help="requests a second")
    options.add_argument("--swaps", type=int, default=100)
    options.add_argument("--rollbacks", type=int, default=5)
    chosen = options.parse_args()
    if chosen.config:
        os.environ["REMORA_CONFIG"] = str(chosen.config.resolve())  # for the command that rolls back
    facts = {name: getattr(chosen, name) for name in ("topology", "rate", "swaps", "rollbacks")}
    carried_out(
        "swaps",
        lambda _, note: swapped(chosen.config, chosen.topology, chosen.rate, chosen.swaps, chosen.rollbacks, note),
        facts=facts | {"replicas": REPLICAS},
        out=chosen.out,
        as_json=chosen.json,
        draw=drawn,
    )


def swapped(
    config: Path | None, topology: Literal["fused", "graph"], rate: float, swaps: int, rollbacks: int, note: Note
) -> dict[str, Any]:
    """Swaps, then rollbacks, under one load each; what was in production is so again at the end."""
    from remora.wiring.cluster import quiet, use_token

    quiet()
    use_token()  # before anything imports Ray
    from ray import serve

    from remora.registry.bundles import Bundles
    from remora.serving.app import assemble
    from remora.serving.bundle_loader import BundleLoader

    settings = behind(load(config), "haproxy")
    few = {"min_replicas": REPLICAS, "max_replicas": REPLICAS, "cpus_per_replica": 0.1}
    settings = settings.model_copy(update={"serving": settings.serving.model_copy(update=few)})
    bundles, users = Bundles(settings), known_users(settings)
    first = bundles.resolve("production")
    note("building bundles that differ in a setting")
    others = variants(bundles, first)
    with endpoint(settings) as url:
        serve.run(assemble(BundleLoader.named(settings, "production"), topology), name="swaps", route_prefix="/swaps")
        try:
            at = f"{url}/swaps"
            found = {"calm": calm(Load(at, users, rate=rate), first)}
            note(f"calm: {found['calm']}")
            found["swaps"] = turns(bundles, others, swaps, Load(at, users, rate=rate), note)
            under = [Load(at, users, rate=rate) for _ in range(rollbacks)]
            found["rollbacks"] = rolled_back(settings.home, bundles, others, under, note)
        finally:
            bundles.promote(first, by=BY, why="the end of a benchmark")
    return {"dataset": settings.name, **found}


def variants(bundles: Any, first: str) -> list[str]:
    """As many bundles as take turns: the one in production, its spacing a little stronger each time."""
    from remora.registry.lineage import Lineage

    whole = bundles.open(first)
    folder, own = whole.local(), {"lineage.json", "metrics.json", "card.md", "card.html"}
    found = []
    for number in range(1, BUNDLES + 1):
        files: dict[str, Path | bytes] = {path: folder / path for path in whole.manifest.files if path not in own}
        settings = whole.read_json("settings.json")
        settings["surfaces"]["home_feed"]["rerankers"]["category_diversity"]["strength"] = 0.05 + number / 1_000
        files["settings.json"] = json.dumps(settings).encode()
        lineage = Lineage.model_validate(whole.read_json("lineage.json"))
        metrics, surfaces = whole.read_json("metrics.json"), whole.manifest.surfaces
        found.append(bundles.build(files, lineage=lineage, metrics=metrics, surfaces=surfaces).id)
    return found


def calm(under: Load, bundle: str) -> dict[str, Any]:
    """The same load while nothing is swapped."""
    with under:
        time.sleep(30)
    return seen(under.answers, {bundle})


def turns(bundles: Any, others: list[str], swaps: int, under: Load, note: Note) -> dict[str, Any]:
    """Every bundle in turn; a swap is over when every replica has it active and what was before it warm."""
    took, memory = [], [replicas_mib()]
    with under:
        for number in range(swaps):
            began = time.monotonic()
            bundles.promote(others[number % BUNDLES], by=BY, why=WHY)
            _wait_until_everywhere(bundles)
            took.append(time.monotonic() - began)
            if (number + 1) % LOOKS_EVERY == 0:
                memory.append(replicas_mib())
                note(f"{number + 1} swaps: the last took {took[-1]:.1f} s; replicas hold {memory[-1]} MiB")
    return seen(under.answers, set(others)) | {
        "swap_p50_seconds": round(float(np.median(took)), 2),
        "swap_most_seconds": round(max(took), 2),
        "replicas_mib": memory,
    }


def rolled_back(home: str, bundles: Any, others: list[str], loads: list[Load], note: Note) -> dict[str, Any]:
    """From the command to its end, and to the last answer of the bundle that it rolls back; once under each load."""
    commands, lasts, answers = [], [], []
    for number, under in enumerate(loads):
        good, bad = others[number % BUNDLES], others[(number + 1) % BUNDLES]
        for bundle in (good, bad):
            bundles.promote(bundle, by=BY, why=WHY)
            _wait_until_everywhere(bundles)
        with under:
            under.wait_for(100)
            began = time.time()
            command = [sys.executable, "-m", "remora.cli.main", "rollback", "--why", WHY]
            subprocess.run(command, env=os.environ | {"REMORA_HOME": home}, check=True, capture_output=True)
            commands.append(time.time() - began)
            _wait_until_everywhere(bundles)
            under.wait_for(100)
        told = under.answers.with_columns(answered=pl.col("due") + pl.col("milliseconds") / 1e3)
        last = told.filter(pl.col("bundle") == bad)["answered"].max()
        lasts.append(float(last) - began)  # type: ignore[arg-type]
        answers.append(under.answers)
        note(f"rollback: the command took {commands[-1]:.1f} s, the last answer of the bad bundle {lasts[-1]:.1f} s")
    return seen(pl.concat(answers), set(others)) | {
        "command_p50_seconds": round(float(np.median(commands)), 2),
        "last_bad_answer_p50_seconds": round(float(np.median(lasts)), 2),
        "last_bad_answer_most_seconds": round(max(lasts), 2),
    }


def _wait_until_everywhere(bundles: Any) -> None:
    from remora.control.replica_status import ReplicaStatuses

    traffic, deadline = bundles.traffic(), time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        told = [r for r in ReplicaStatuses(bundles.home).read().values() if r.revision >= traffic.revision]
        if len(told) >= len(replicas()) and all(set(traffic.bundles) <= set(r.ready) for r in told):
            return
        time.sleep(0.1)
    raise TimeoutError(f"revision {traffic.revision} is not active everywhere after {PATIENCE_SECONDS:.0f} s")


def replicas() -> list[psutil.Process]:
    """The replicas' processes."""
    found = []
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if "ServeReplica" in " ".join(process.cmdline()):
                found.append(process)
    return found


def replicas_mib() -> int:
    """Unshared memory of all replicas together."""
    return round(sum(process.memory_full_info().uss for process in replicas()) / (1 << 20))


def seen(answers: pl.DataFrame, bundles: set[str]) -> dict[str, Any]:
    """What callers saw."""
    return {
        "answers": len(answers),
        "failed": answers.filter((pl.col("status") != 200) | (pl.col("items") < 10)).height,
        "degraded": answers.filter(pl.col("said") != "").height,
        "of_bundles": sorted(set(answers["bundle"].unique()) & bundles),
        **{f"p{q}_ms": round(float(answers["milliseconds"].quantile(q / 100) or 0.0), 1) for q in (50, 99)},
        "slowest_ms": round(float(answers["milliseconds"].max() or 0.0), 1),  # type: ignore[arg-type]
    }


def drawn(out: Console, result: dict[str, Any]) -> None:
    """One row a phase."""
    table = Table(title=f"{result['dataset']}, {result['topology']}, {result['rate']:g} requests/s")
    for name in ("phase", "answers", "failed", "degraded", "p50 ms", "p99 ms", "slowest ms"):
        table.add_column(name, justify="left" if name == "phase" else "right")
    for phase in ("calm", "swaps", "rollbacks"):
        one = result[phase]
        names = ("answers", "failed", "degraded", "p50_ms", "p99_ms", "slowest_ms")
        table.add_row(phase, *(str(one[name]) for name in names))
    out.print(table)
    swaps, back = result["swaps"], result["rollbacks"]
    out.print(f"a swap: {swaps['swap_p50_seconds']} s; memory of the replicas: {swaps['replicas_mib']} MiB")
    out.print(f"rollback, to the last bad answer: {back['last_bad_answer_p50_seconds']} s")
