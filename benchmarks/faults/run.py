"""What callers see of faults under load, in both topologies: python -m benchmarks.faults (after `make demo`) [--json].

The bundle in production is served with two replicas of every deployment on a cluster of this command's own; requests
come at a fixed rate from a process of their own while replicas are killed and frozen one after another.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from benchmarks.command import Note, carried_out, common_options
from benchmarks.endpoint import behind, endpoint
from benchmarks.known_users import known_users
from benchmarks.load import Load
from rich.console import Console
from rich.table import Table

from remora.settings import load

REPLICAS = 2
CPUS_A_REPLICA = 0.1


def main() -> None:
    """Run, and print or write."""
    options = common_options(__doc__)
    options.add_argument("--config", type=Path, help="settings; default: the active home's")
    options.add_argument("--proxy", choices=("haproxy", "python"), default="haproxy", help="in front of Ray Serve")
    options.add_argument("--rate", type=float, default=20.0, help="requests a second")
    options.add_argument("--n", type=int, default=10, help="items of a slate")
    chosen = options.parse_args()
    carried_out(
        "faults",
        lambda _, note: suffered(chosen.config, chosen.proxy, chosen.rate, chosen.n, note),
        facts={"proxy": chosen.proxy, "rate": chosen.rate, "items": chosen.n, "replicas": REPLICAS},
        out=chosen.out,
        as_json=chosen.json,
        draw=drawn,
    )


def suffered(config: Path | None, proxy: str, rate: float, n: int, note: Note) -> dict[str, Any]:
    """Every fault of both topologies."""
    from remora.wiring.cluster import quiet, use_token

    quiet()
    use_token()  # before anything imports Ray
    from benchmarks.faults import scenarios
    from ray import serve

    from remora.serving.app import assemble
    from remora.serving.bundle_loader import BundleLoader

    settings = behind(load(config), proxy)
    few = {"min_replicas": REPLICAS, "max_replicas": REPLICAS, "cpus_per_replica": CPUS_A_REPLICA}
    settings = settings.model_copy(update={"serving": settings.serving.model_copy(update=few)})
    users = known_users(settings)
    loader = BundleLoader.named(settings, "production")
    found = []
    with endpoint(settings) as url:
        topologies: tuple[Literal["fused", "graph"], ...] = ("fused", "graph")
        for topology in topologies:
            note(f"deploying {topology}")
            serve.run(assemble(loader, topology), name=topology, route_prefix=f"/{topology}")
            for name, fault in scenarios.faults(topology).items():
                under = Load(f"{url}/{topology}", users, rate=rate, n=n)
                seen = scenarios.outcome(name, fault, app=topology, under=under)
                note(f"{topology}, {name}: {seen.failed} failed, {seen.degraded} degraded, {seen.seconds} s")
                found.append({"topology": topology, **seen._asdict()})
            serve.delete(topology)
    return {"dataset": settings.name, "timeout_ms": settings.serving.timeout_ms, "faults": found}


def drawn(out: Console, result: dict[str, Any]) -> None:
    """One row a fault."""
    table = Table(title=f"{result['rate']:g} requests/s for {result['items']} items", title_justify="left")
    for name in ("topology", "fault", "answers", "failed", "degraded", "s until whole", "p99 ms", "slowest ms"):
        table.add_column(name, justify="left" if name in {"topology", "fault"} else "right")
    for one in result["faults"]:
        numbers = (one["answers"], one["failed"], one["degraded"], one["seconds"], one["p99_ms"], one["slowest_ms"])
        table.add_row(one["topology"], one["fault"], *map(str, numbers))
    out.print(table)
