"""What attacks on the endpoint do to everyone else: python -m benchmarks.edge (after `make demo`) [--json].

The bundle in production is served on a cluster of this command's own, on loopback. Healthy requests come at a fixed
rate from a process of their own, before and during each attack; the baseline is all that were sent without an attack.
Slow and half-open connections all come at once; whole requests come at a pace, five to each healthy one, or with
``--flood`` as fast as they are answered, which takes all of the processors that the machine has left.
"""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import httpx
import polars as pl
from benchmarks.command import Note, carried_out, common_options
from benchmarks.edge.attacks import Attack, RequestStats, attacks, carry_out
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
    options.add_argument("--requests", type=int, default=300, help="healthy requests before, and at least during each")
    options.add_argument("--flood", action="store_true", help="send the attacks' requests as fast as they are answered")
    chosen = options.parse_args()
    pace = None if chosen.flood else 5 * chosen.rate
    carried_out(
        "edge",
        lambda _, note: attacked(chosen.config, chosen.proxy, chosen.rate, chosen.requests, pace, note),
        facts={"proxy": chosen.proxy, "rate": chosen.rate, "attack_rate": pace},
        out=chosen.out,
        as_json=chosen.json,
        draw=drawn,
    )


def attacked(
    config: Path | None, proxy: str, rate: float, requests: int, pace: float | None, note: Note
) -> dict[str, Any]:
    """Every attack, on the fused topology."""
    from remora.wiring.cluster import quiet, use_token

    quiet()
    use_token()  # before anything imports Ray
    from ray import serve

    from remora.serving.app import assemble
    from remora.serving.bundle_loader import BundleLoader

    settings = behind(load(config), proxy)
    users = known_users(settings)
    found, without = [], []
    with endpoint(settings) as url:
        serve.run(assemble(BundleLoader.named(settings, "production"), "fused"), name="edge", route_prefix="/")
        healthy(url, users, rate, requests)  # the first requests find caches and connections cold
        for attack in attacks():
            without.append(healthy(url, users, rate, requests))
            before = methods()
            with Load(url, users, rate=rate) as running:
                answers = against(attack, url, running, requests, pace)
            row = outcome(attack, answers, without[-1], running.answers)
            row |= {"methods_before": before, "methods_after": methods()}
            note(f"{attack.name}: {row['answers']}, p99 {row['p99_before_ms']} → {row['p99_during_ms']} ms")
            found.append(row)
    baseline = pl.concat(without)
    p99 = _milliseconds(baseline, 0.99)
    return {
        "dataset": settings.name,
        "timeout_ms": settings.serving.timeout_ms,
        "baseline": {"healthy": len(baseline), "p50_ms": _milliseconds(baseline, 0.5), "p99_ms": p99},
        "attacks": [row | {"p99_ratio": round(row["p99_during_ms"] / max(p99, 0.1), 2)} for row in found],
    }


def healthy(url: str, users: list[str], rate: float, requests: int) -> pl.DataFrame:
    """Answers without an attack."""
    with Load(url, users, rate=rate) as running:
        running.wait_for(requests)
    return running.answers


def against(attack: Attack, url: str, running: Load, requests: int, pace: float | None) -> RequestStats:
    """Carry it out again and again until so many healthy requests were answered meanwhile; the first time counts."""
    running.wait_for(20)
    over, seen, port = threading.Event(), [], int(url.rsplit(":", 1)[1])

    def attacking() -> None:
        while not over.is_set():
            seen.append(asyncio.run(carry_out(attack, port, pace)))

    thread = threading.Thread(target=attacking)
    thread.start()
    running.wait_for(requests)
    over.set()
    thread.join()
    return seen[0]


def methods() -> list[str]:
    """The methods that the cluster's metrics know: each is a set of series."""
    import ray

    node = ray.nodes()[0]
    text = httpx.get(f"http://{node['NodeManagerAddress']}:{node['MetricsExportPort']}/metrics", timeout=30).text
    return sorted({line.split('method="')[1].split('"')[0] for line in text.splitlines() if 'method="' in line})


def outcome(attack: Attack, answers: RequestStats, before: pl.DataFrame, during: pl.DataFrame) -> dict[str, Any]:
    """One row of the table."""
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
        "p50_before_ms": _milliseconds(before, 0.5),
        "p99_before_ms": _milliseconds(before, 0.99),
        "p50_during_ms": _milliseconds(during, 0.5),
        "p99_during_ms": _milliseconds(during, 0.99),
    }


def _milliseconds(answers: pl.DataFrame, quantile: float) -> float:
    return round(answers["milliseconds"].quantile(quantile) or 0.0, 1)


def drawn(out: Console, result: dict[str, Any]) -> None:
    """One row an attack."""
    base = result["baseline"]
    pace = f"{result['attack_rate']:g}/s" if result["attack_rate"] else "as fast as they are answered"
    out.print(
        f"{result['rate']:g} healthy requests/s; without an attack p50 {base['p50_ms']} ms, p99 {base['p99_ms']} ms "
        f"({base['healthy']:,} requests). Whole requests of an attack: {pace}.",
        soft_wrap=True,
    )
    table = Table()
    for name in ("attack", "connections", "answers", "slowest s", "largest body", "failed", "p99 ms", "of baseline"):
        table.add_column(name, justify="left" if name in {"attack", "answers"} else "right", no_wrap=True)
    table.add_column("methods in metrics", no_wrap=True)
    for one in result["attacks"]:
        answers = ", ".join(f"{n:,} x {'closed' if status == '0' else status}" for status, n in one["answers"].items())
        numbers = [f"{one['connections']:,}", answers, one["slowest_seconds"], one["largest_body"]]
        numbers += [f"{one['failed']}/{one['healthy']}", one["p99_during_ms"], f"{one['p99_ratio']:.2f}"]
        new = sorted({*one["methods_after"]} - {*one["methods_before"]})
        table.add_row(one["attack"], *map(str, numbers), f"new: {', '.join(new)}" if new else "the same")
    out.print(table, soft_wrap=True)
