"""What schemathesis finds at the endpoint over HTTP: python -m benchmarks.contract (after `make demo`) [--json].

The bundle in production is served on a cluster of this command's own, on loopback, behind HAProxy. Schemathesis sends
what the OpenAPI document allows and what it forbids, boundary values and random ones, until the seed's calls are made.
Every answer must have a documented status, type and shape, and none may be a 5xx. Exits with 1 where one fails.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.command import Note, carried_out, common_options
from benchmarks.endpoint import behind, endpoint
from rich.console import Console
from rich.table import Table

from remora.settings import load

CONFIG = """
[generation]
allow-extra-parameters = false

[checks.negative_data_rejection]
expected-statuses = ["4xx"]

[checks.positive_data_acceptance]
expected-statuses = ["2xx", "404", "414"]
"""
"""HTTP lets a client send headers of its own; what is invalid may be too long besides; ids may be unknown, and several
long ones be a longer query than is accepted (the document says 414).
"""

FAILURES_SHOWN = 20


def main() -> None:
    """Run, and print or write."""
    options = common_options(__doc__)
    options.add_argument("--config", type=Path, help="settings; default: the active home's")
    options.add_argument("--proxy", choices=("haproxy", "python"), default="haproxy", help="in front of Ray Serve")
    options.add_argument("--seed", type=int, default=23)
    options.add_argument("--examples", type=int, default=1_500, help="random calls of each operation, at most")
    chosen = options.parse_args()
    failed = []

    def work(folder: Path, note: Note) -> dict[str, Any]:
        found = called(folder, chosen.config, chosen.proxy, chosen.seed, chosen.examples, note)
        failed.extend(found["failures"])
        return found

    carried_out(
        "contract",
        work,
        facts={"proxy": chosen.proxy, "seed": chosen.seed, "schemathesis": version("schemathesis")},
        out=chosen.out,
        as_json=chosen.json,
        draw=drawn,
    )
    raise SystemExit(bool(failed))


def called(folder: Path, config: Path | None, proxy: str, seed: int, examples: int, note: Note) -> dict[str, Any]:
    """One run of the `schemathesis` command against the fused topology."""
    from remora.wiring.cluster import quiet, use_token

    quiet()
    use_token()  # before anything imports Ray
    from ray import serve

    from remora.serving.app import assemble
    from remora.serving.bundle_loader import BundleLoader

    settings = behind(load(config), proxy)
    report, configuration = folder / "calls.ndjson", folder / "schemathesis.toml"
    configuration.write_text(CONFIG)
    with endpoint(settings) as url:
        serve.run(assemble(BundleLoader.named(settings, "production"), "fused"), name="contract", route_prefix="/")
        note(f"calling {url} with seed {seed}")
        options = ["--seed", str(seed), "--max-examples", str(examples), "--continue-on-failure", "--no-color"]
        options += ["--generation-database", "none", "--report-ndjson-path", str(report)]
        command = [Path(sys.executable).with_name("schemathesis"), "--config-file", configuration, "run"]
        command += [f"{url}/openapi.json", "--checks", "all", *options]
        ran = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, text=True)
    note("\n".join(line[:200] for line in ran.stdout.splitlines()))
    if not report.exists():
        raise SystemExit(f"schemathesis ended with {ran.returncode} and left no report:\n{ran.stdout}")
    return {"dataset": settings.name, "exit_code": ran.returncode, **counted(report)}


def counted(report: Path) -> dict[str, Any]:
    """Calls by operation and status, and what failed, of schemathesis' log."""
    statuses: dict[str, Counter[str]] = {}
    checks: Counter[str] = Counter()
    failures: list[str] = []
    for recorder in _recorders(report):
        by_case = {}
        for identity, call in recorder.get("interactions", {}).items():
            answer = call.get("response")
            by_case[identity] = str(answer["status_code"]) if answer else "none"
            statuses.setdefault(recorder["label"], Counter())[by_case[identity]] += 1
        for identity, made in recorder.get("checks", {}).items():
            for check in made:
                checks[check["status"]] += 1
                if check["status"] == "failure":
                    said = check.get("failure_info") or {}
                    failures.append(f"{recorder['label']} ({by_case.get(identity)}): {check['name']}: {said}"[:1_000])
    every = sum(statuses.values(), Counter())
    return {
        "calls": every.total(),
        "server_errors": sum(n for status, n in every.items() if status[0] == "5" or status == "none"),
        "statuses": dict(sorted(every.items())),
        "operations": {name: dict(sorted(by.items())) for name, by in sorted(statuses.items())},
        "checks": dict(checks),
        "failures": failures,
    }


def _recorders(report: Path) -> Iterator[dict[str, Any]]:
    with report.open() as lines:
        for line in lines:
            (kind, event), *_ = json.loads(line).items()
            if kind == "ScenarioFinished":
                yield event["recorder"]


def drawn(out: Console, result: dict[str, Any]) -> None:
    """One row an operation."""
    table = Table()
    for name in ("operation", "calls", "answers"):
        table.add_column(name, justify="right" if name == "calls" else "left", no_wrap=True)
    for name, by in result["operations"].items():
        table.add_row(name, f"{sum(by.values()):,}", ", ".join(f"{n:,} x {status}" for status, n in by.items()))
    out.print(table, soft_wrap=True)
    out.print(
        f"{result['calls']:,} calls with seed {result['seed']} in {result['wall_seconds']:g} s: "
        f"{result['server_errors']} server errors, {len(result['failures'])} violations of the contract.",
        soft_wrap=True,
    )
    for failure in result["failures"][:FAILURES_SHOWN]:
        out.print(failure, markup=False, soft_wrap=True)
