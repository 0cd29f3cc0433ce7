"""Is memory flat at constant load? python -m benchmarks.soak (after `make demo`) [--minutes 30] [--json].

The bundle in production, fused, two replicas, requests at a fixed rate from a process of its own. Every ten seconds
the unique memory of each process is noted; the slope of the second two thirds is what would not stop.
"""

from __future__ import annotations

import argparse
import threading
import time
from collections import defaultdict
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from benchmarks.command import Note, carried_out, common_options
from benchmarks.endpoint import behind, endpoint
from benchmarks.known_users import known_users
from benchmarks.load import Load
from rich.console import Console
from rich.table import Table
from scipy.stats import linregress

from remora.settings import load

N, REPLICAS, EVERY_SECONDS, SETTLED, NOTED_EVERY_SECONDS = 10, 2, 10.0, 1 / 3, 300.0
WATCHED = ("ServeReplica", "ServeController", "HAProxyManager", "ProxyActor", "haproxy", "gcs_server", "raylet")
MIB, T_OF_95 = 1 << 20, 1.96


def main() -> None:
    """Run, and print or write."""
    options = common_options(__doc__)
    options.add_argument("--config", type=Path, help="settings; default: the active home's")
    options.add_argument("--minutes", type=float, default=30.0)
    options.add_argument("--rate", type=float, default=40.0, help="requests a second")
    chosen = options.parse_args()
    carried_out(
        "soak",
        lambda _, note: soaked(chosen, note),
        facts={"minutes": chosen.minutes, "rate": chosen.rate, "items": N, "replicas": REPLICAS},
        out=chosen.out,
        as_json=chosen.json,
        draw=drawn,
    )


def soaked(chosen: argparse.Namespace, note: Note) -> dict[str, Any]:
    """Memory of each process under load, MiB by time."""
    from remora.wiring.cluster import quiet, use_token

    quiet()
    use_token()  # before anything imports Ray
    from ray import serve

    from remora.serving.app import assemble
    from remora.serving.bundle_loader import BundleLoader

    settings = behind(load(chosen.config), "haproxy")
    few = {"min_replicas": REPLICAS, "max_replicas": REPLICAS, "cpus_per_replica": 0.1}
    settings = settings.model_copy(update={"serving": settings.serving.model_copy(update=few)})
    seen: dict[str, list[tuple[float, float]]] = defaultdict(list)
    pause = threading.Event()
    with endpoint(settings) as url:
        serve.run(assemble(BundleLoader.named(settings, "production"), "fused"), name="soak", route_prefix="/soak")
        with Load(f"{url}/soak", known_users(settings), rate=chosen.rate, n=N) as requests:
            began = time.monotonic()
            while (passed := time.monotonic() - began) < chosen.minutes * 60:
                for name, mib in processes().items():
                    seen[name].append((passed, mib))
                if passed % NOTED_EVERY_SECONDS < EVERY_SECONDS:
                    note(f"{passed / 60:.0f} min: {sum(at[-1][1] for at in seen.values()):.0f} MiB")
                pause.wait(EVERY_SECONDS)
    answers = requests.answers
    return {
        "dataset": settings.name,
        "answers": len(answers),
        "failed": int(((answers["status"] != 200) | (answers["items"] < N)).sum()),
        "degraded": int((answers["said"] != "").sum()),
        "processes": {name: slope(points) for name, points in sorted(seen.items()) if len(points) > 2},
    }


def processes() -> dict[str, float]:
    """MiB that belong to one process alone, of each of the servers, by kind and id."""
    found = {}
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            words = f"{process.name()} {' '.join(process.cmdline()[:1])}"
            kind = next((kind for kind in WATCHED if kind in words), None)
            if kind:
                found[f"{kind} {process.pid}"] = process.memory_full_info().uss / MIB
    return found


def slope(points: list[tuple[float, float]]) -> dict[str, float]:
    """MiB an hour after what settles has settled, by least squares, with the interval of 95%."""
    at, mib = np.array(points[round(len(points) * SETTLED) :]).T
    fit = linregress(at / 3600, mib)
    return {
        "first_mib": round(points[0][1], 1),
        "last_mib": round(points[-1][1], 1),
        "mib_per_hour": round(float(fit.slope), 2),
        "plus_minus": round(float(T_OF_95 * fit.stderr), 2),
    }


def drawn(out: Console, result: dict[str, Any]) -> None:
    """One row a process."""
    title = f"{result['minutes']:g} minutes at {result['rate']:g} requests/s: {result['failed']} failed"
    table = Table(title=title, title_justify="left")
    for name in ("process", "first MiB", "last MiB", "MiB an hour"):
        table.add_column(name, justify="left" if name == "process" else "right")
    for name, one in result["processes"].items():
        hourly = f"{one['mib_per_hour']:+.2f} ± {one['plus_minus']:.2f}"
        table.add_row(name, f"{one['first_mib']:.1f}", f"{one['last_mib']:.1f}", hourly)
    out.print(table)
