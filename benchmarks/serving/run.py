"""Requests a second and latency beside peers: python -m benchmarks.serving (after `make demo`) [--json].

Each system in turn, load from a process of its own: clients that wait for their answers until it is saturated, then
requests at 25, 50 and 75% of that rate. The same trees rank about 500 candidates in all of them but LibRecommender and
the constant one.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import psutil
from benchmarks.command import Note, carried_out, common_options
from benchmarks.endpoint import behind, endpoint
from benchmarks.known_users import known_users
from benchmarks.load import Load
from benchmarks.serving import peers
from rich.console import Console
from rich.table import Table

from remora.settings import Settings, load

SHARES = (0.25, 0.5, 0.75)
WARM, MOST_USERS, N = 200, 2_000, 10
DEADLINE_MS, TOLERATED_MS = 150.0, 10.0
HURRIED = "fused, two replicas, 150 ms to answer"

Serving = Callable[[], AbstractContextManager[str]]


def main() -> None:
    """Run, and print or write."""
    options = common_options(__doc__)
    options.add_argument("--config", type=Path, help="settings; default: the active home's")
    options.add_argument("--proxy", choices=("haproxy", "python"), default="haproxy", help="in front of Ray Serve")
    options.add_argument(
        "--peers", type=Path, help="a virtual environment with librecommender.txt, to have that as well"
    )
    options.add_argument("--clients", type=int, default=12, help="that saturate a system")
    options.add_argument("--seconds", type=float, default=15.0, help="of each measurement")
    chosen = options.parse_args()
    carried_out(
        "serving",
        lambda folder, note: measured(chosen, folder, note),
        facts={"proxy": chosen.proxy, "clients": chosen.clients, "seconds": chosen.seconds, "items": N},
        out=chosen.out,
        as_json=chosen.json,
        draw=drawn,
    )


def measured(chosen: argparse.Namespace, folder: Path, note: Note) -> dict[str, Any]:
    """Every system, one after another."""
    from remora.wiring.cluster import quiet, use_token

    os.environ.setdefault("OMP_NUM_THREADS", "1")  # as Ray has it in a replica; before anything imports Torch
    quiet()
    use_token()  # before anything imports Ray
    from benchmarks.serving.export import exported

    from remora.serving.bundle_loader import BundleLoader
    from remora.serving.loaded_bundle import LoadedBundle

    settings, clients, seconds = behind(load(chosen.config), chosen.proxy), chosen.clients, chosen.seconds
    ids = known_users(settings)
    users = [str(user) for user in np.random.default_rng(7).permutation(ids)[:MOST_USERS]]
    note("exporting for the peer")
    loader = BundleLoader.named(settings, "production")
    context = loader.context(loader.bundle)
    context = replace(context, users=loader.users(context))  # without their cache: every request asks the store
    served = LoadedBundle.of(context, bundle=loader.bundle)
    exported(served, users, folder)
    found = {"in process, one thread": in_process(served, settings, users, seconds)}
    note(f"in process: {found['in process, one thread']}")

    def measure(name: str, serving: Serving) -> None:
        note(name)
        with serving() as at:
            found[name] = loaded(at, users, clients, seconds)
        note(f"{name}: {found[name]['requests_per_second']} requests/s")

    measure("an afternoon's FastAPI service", lambda: peers.fastapi_service(folder))
    if chosen.peers:
        python = chosen.peers / "bin" / "python"
        measure("LibRecommender, retrieval only", lambda: peers.librecommender(folder, python))
    measure("a naive graph on Serve's defaults", lambda: peers.naive(chosen.config))
    with endpoint(settings) as url:
        systems: dict[str, Serving] = {
            "constant on Ray Serve": lambda: constant(url),
            "fused, one replica": lambda: remora(settings, "fused", 1, url),
            "fused, two replicas": lambda: remora(settings, "fused", 2, url),
            "graph, one replica each": lambda: remora(settings, "graph", 1, url),
            HURRIED: lambda: remora(settings, "fused", 2, url, DEADLINE_MS),
        }
        for name, serving in systems.items():
            measure(name, serving)
    return {"dataset": settings.name, "systems": found}


def in_process(served: Any, settings: Settings, users: Sequence[str], seconds: float) -> dict[str, Any]:
    """The limit: the stages in a loop, without a server."""
    from remora.serving.requests import RequestContext, to_query
    from remora.serving.schemas import RecommendRequest

    spent, began, cpu = [], time.perf_counter(), time.process_time()
    while time.perf_counter() - began < seconds or len(spent) < WARM:
        asked = RecommendRequest(user_id=users[len(spent) % len(users)], n=N)
        start = time.perf_counter()
        served.run(to_query(served, asked, RequestContext("benchmark"), settings.serving))
        spent.append((time.perf_counter() - start) * 1e3)
    return {
        "requests_per_second": round(len(spent) / (time.perf_counter() - began), 1),
        "core_seconds_per_1000": round((time.process_time() - cpu) / len(spent) * 1e3, 2),
        "saturated": percentiles(spent[WARM // 2 :]),
    }


@contextmanager
def constant(url: str) -> Iterator[str]:
    """The transport's ceiling."""
    from benchmarks.serving.constant import Constant
    from ray import serve

    serve.run(Constant.bind(), name="constant", route_prefix="/constant")
    yield f"{url}/constant"
    serve.delete("constant")


@contextmanager
def remora(
    settings: Settings, topology: Literal["fused", "graph"], replicas: int, url: str, within_ms: float = 3_000.0
) -> Iterator[str]:
    """The bundle in production, with so many replicas of each deployment; in 3 s it is whole even when saturated."""
    from ray import serve

    from remora.serving.app import assemble
    from remora.serving.bundle_loader import BundleLoader

    limits = {"min_replicas": replicas, "max_replicas": replicas, "cpus_per_replica": 0.1}
    patient = {"timeout_ms": within_ms, "max_timeout_ms": within_ms}
    serving = settings.serving.model_copy(update=limits | patient)
    loader = BundleLoader.named(settings.model_copy(update={"serving": serving}), "production")
    serve.run(assemble(loader, topology), name=topology, route_prefix=f"/{topology}")
    yield f"{url}/{topology}"
    serve.delete(topology)


def loaded(url: str, users: Sequence[str], clients: int, seconds: float) -> dict[str, Any]:
    """Saturation, then shares of it."""
    with Load(url, users, clients=clients, n=N) as warm:
        warm.wait_for(WARM)
    full = during(Load(url, users, clients=clients, n=N), seconds)
    result: dict[str, Any] = {**full, "at": {}}
    for share in SHARES:
        rate = max(1.0, share * full["requests_per_second"])
        result["at"][f"{share:.0%}"] = during(Load(url, users, rate=rate, n=N), seconds)
    return result


def during(load: Load, seconds: float) -> dict[str, Any]:
    """What a load of so many seconds gives, and what it costs the servers."""
    before = cpu_seconds()
    with load:
        time.sleep(seconds)
    spent, memory = cpu_seconds() - before, servers_gib()
    answers = load.answers
    good = answers.filter((answers["status"] == 200) & (answers["items"] == N))
    lasted = float((answers["due"] + answers["milliseconds"] / 1e3).max()) - float(answers["due"].min())  # type: ignore[arg-type]
    return {
        "requests_per_second": round(len(good) / lasted, 1),
        "failed": len(answers) - len(good),
        "degraded": good.filter(good["said"] != "").height,
        "later_than_160_ms": answers.filter(answers["milliseconds"] > DEADLINE_MS + TOLERATED_MS).height,
        "core_seconds_per_1000": round(spent / max(1, len(good)) * 1e3, 2),
        "servers_gib": memory,
        "saturated" if load.clients else "open_loop": percentiles(answers["milliseconds"].to_list()),
    }


def percentiles(milliseconds: Sequence[float]) -> dict[str, float]:
    """p50, p95 and p99."""
    return {f"p{q}_ms": round(float(np.percentile(milliseconds, q)), 1) for q in (50, 95, 99)}


def servers() -> list[psutil.Process]:
    """All processes that this one started but the load: the cluster's, or the peer's."""
    found = []
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if "load.py" not in " ".join(process.cmdline()):
                found.append(process)
    return found


def cpu_seconds() -> float:
    """Of the servers, so far."""
    total = 0.0
    for process in servers():
        with suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            total += times.user + times.system
    return total


def servers_gib() -> float:
    """Memory of the servers; shared pages count once."""
    total = 0
    for process in servers():
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            total += process.memory_full_info().pss
    return round(total / (1 << 30), 2)


def drawn(out: Console, result: dict[str, Any]) -> None:
    """One row a system."""
    table = Table(
        title=f"{result['dataset']}, {result['items']} items, {result['clients']} clients", title_justify="left"
    )
    for name in ("system", "requests/s", "p50", "p99", "p50 at 50%", "p99 at 50%", "core s / 1,000", "failed"):
        table.add_column(name, justify="left" if name == "system" else "right")
    for name, one in result["systems"].items():
        half = one.get("at", {}).get("50%", {}).get("open_loop", {})
        numbers = (
            one["requests_per_second"],
            one["saturated"]["p50_ms"],
            one["saturated"]["p99_ms"],
            half.get("p50_ms", ""),
            half.get("p99_ms", ""),
            one["core_seconds_per_1000"],
            one.get("failed", 0),
        )
        table.add_row(name, *map(str, numbers))
    out.print(table)
