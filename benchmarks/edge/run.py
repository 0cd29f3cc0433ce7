"""What attacks on the endpoint do to everyone else: python -m benchmarks.edge (after `make demo`) [--json].

The bundle in production is served on a cluster of this command's own, on loopback. Healthy requests come at a fixed
rate from a process of their own, before and during each attack.
"""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import httpx
import polars as pl
from benchmarks.command import Note, carried_out, common_options
from benchmarks.edge.attacks import Answers, Attack, attacks, carry_out
from benchmarks.endpoint import behind, endpoint
from benchmarks.known_users import known_users
from benchmarks.load import Load
from rich.console import Console
from rich.table import Table

from remora.settings import load


def main() -> None:
    """Run, and print or write."""
    options = common_options(__doc__)
    options.add_argument("--config", type=Path, help="settings; default: the active home's")
    options.add_argument("--proxy", choices=("haproxy", "python"), default="haproxy", help="in front of Ray Serve")
    options.add_argument("--rate", type=float, default=20.0, help="healthy requests a second")
    options.add_argument("--requests", type=int, default=200, help="healthy requests before, and at least during each")
    chosen = options.parse_args()
    carried_out(
        "edge",
        lambda _, note: attacked(chosen.config, chosen.proxy, chosen.rate, chosen.requests, note),
        facts={"proxy": chosen.proxy, "rate": chosen.rate},
        out=chosen.out,
        as_json=chosen.json,
        draw=drawn,
    )


def attacked(config: Path | None, proxy: str, rate: float, requests: int, note: Note) -> dict[str, Any]:
    """Every attack, on the fused topology."""
    from remora.wiring.cluster import quiet, use_token

    quiet()
    use_token()  # before anything imports Ray
    from ray import serve

    from remora.serving.app import assemble
    from remora.serving.from_bundle import FromBundle

    settings = behind(load(config), proxy)
    users = known_users(settings)
    found = []
    with endpoint(settings) as url:
        serve.run(assemble(FromBundle.named(settings, "production"), "fused"), name="edge", route_prefix="/")
        for attack in attacks():
            before = healthy(url, users, rate, requests)
            series = methods()
            with Load(url, users, rate=rate) as running:
                answers = against(attack, url, running, requests)
            row = outcome(attack, answers, before, running.answers) | {
                "methods_before": series,
                "methods_after": methods(),
            }
            note(f"{attack.name}: {row['answers']}, p99 {row['p99_before_ms']} → {row['p99_during_ms']} ms")
            found.append(row)
    return {"dataset": settings.name, "timeout_ms": settings.serving.timeout_ms, "attacks": found}


def healthy(url: str, users: list[str], rate: float, requests: int) -> pl.DataFrame:
    """Answers without an attack."""
    with Load(url, users, rate=rate) as running:
        running.wait_for(requests)
    return running.answers


def against(attack: Attack, url: str, running: Load, requests: int) -> Answers:
    """Carry it out again and again until so many healthy requests were answered meanwhile; the first time counts."""
    running.wait_for(20)
    over, seen = threading.Event(), []

    def attacking() -> None:
        while not over.is_set():
            seen.append(asyncio.run(carry_out(attack, int(url.rsplit(":", 1)[1]))))

    thread = threading.Thread(target=attacking)
    thread.start()
    running.wait_for(requests)
    over.set()
    thread.join()
    return seen[0]


def methods() -> int:
    """Methods that the cluster's metrics know: each is a set of series."""
    import ray

    node = ray.nodes()[0]
    text = httpx.get(f"http://{node['NodeManagerAddress']}:{node['MetricsExportPort']}/metrics", timeout=30).text
    return len({line.split('method="')[1].split('"')[0] for line in text.splitlines() if 'method="' in line})


def outcome(attack: Attack, answers: Answers, before: pl.DataFrame, during: pl.DataFrame) -> dict[str, Any]:
    """One row of the table."""
    p50, p99 = (lambda frame, q=q: round(frame["milliseconds"].quantile(q) or 0.0, 1) for q in (0.5, 0.99))
    return {
        "attack": attack.name,
        "connections": attack.connections,
        "answers": {str(status): n for status, n in sorted(answers.statuses.items())},
        "content_types": dict(answers.kinds),
        "unended": answers.unended,
        "slowest_seconds": round(answers.slowest_seconds, 2),
        "largest_body": answers.largest_body,
        "healthy": len(during),
        "failed": len(during.filter(pl.col("status") != 200)),
        "degraded": len(during.filter((pl.col("status") == 200) & (pl.col("said") != ""))),
        "p50_before_ms": p50(before),
        "p99_before_ms": p99(before),
        "p50_during_ms": p50(during),
        "p99_during_ms": p99(during),
        "p99_ratio": round(p99(during) / max(p99(before), 0.1), 2),
    }


def drawn(out: Console, result: dict[str, Any]) -> None:
    """One row an attack."""
    table = Table(title=f"attacks beside {result['rate']:g} healthy requests/s", title_justify="left")
    columns = ("attack", "connections", "answers", "slowest s", "largest body", "failed", "p99 before", "p99 during")
    for name in (*columns, "ratio", "methods"):
        table.add_column(name, justify="left" if name in {"attack", "answers"} else "right")
    for one in result["attacks"]:
        answers = ", ".join(f"{n} x {status}" for status, n in one["answers"].items())
        numbers = [one["slowest_seconds"], one["largest_body"], f"{one['failed']}/{one['healthy']}"]
        numbers += [one["p99_before_ms"], one["p99_during_ms"], one["p99_ratio"]]
        series = f"{one['methods_before']} → {one['methods_after']}"
        table.add_row(one["attack"], str(one["connections"]), answers, *map(str, numbers), series)
    out.print(table)
