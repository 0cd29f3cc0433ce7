"""Events a second, and what they and the log of slates cost: python -m benchmarks.events (after `make demo`) [--json].

The bundle in production is served on a cluster of this command's own, behind HAProxy. A client in a process of its own
sends events alone and in batches as fast as they are answered; another asks for slates at a pace, without and beside
them. Clients, proxy and replica share the machine's cores.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from concurrent.futures import Future
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.command import Note, carried_out, common_options
from benchmarks.endpoint import behind, endpoint
from rich.console import Console
from rich.table import Table

from remora.settings import Settings, load

RUNS = 3
CANDIDATES, COLUMNS = 500, 60
SLATES_PER_SECOND, EVENTS_PER_SECOND = 20.0, 200.0


def main() -> None:
    """Run, and print or write."""
    options = common_options(__doc__)
    options.add_argument("--config", type=Path, help="settings; default: the active home's")
    options.add_argument("--seconds", type=float, default=10.0, help="of each measurement")
    chosen = options.parse_args()
    carried_out(
        "events",
        lambda folder, note: measured(load(chosen.config), folder, chosen.seconds, note),
        facts={"seconds": chosen.seconds, "runs": RUNS},
        out=chosen.out,
        as_json=chosen.json,
        draw=drawn,
    )


def measured(settings: Settings, folder: Path, seconds: float, note: Note) -> dict[str, Any]:
    """Everything that is reported: medians of several runs."""
    from remora.wiring.cluster import quiet, use_token

    quiet()
    use_token()  # before anything imports Ray
    logging = cost_of_logging(folder)
    note(f"a slate's record and its line in the log: {logging}")
    alone = in_process(settings, folder, seconds)
    note(f"the intake in this process: {alone}")
    events = settings.events.model_copy(update={"folder": str(folder / "log")})
    settings = behind(settings.model_copy(update={"events": events}), "haproxy")
    with endpoint(settings) as url:
        from ray import serve

        from remora.serving.app import assemble
        from remora.serving.bundle_loader import BundleLoader

        serve.run(assemble(BundleLoader.named(settings, "production"), "fused"), name="remora", route_prefix="/")
        found = over_http(url, seconds, note)
    return {"logging": logging, "in_process": alone, **found}


def cost_of_logging(folder: Path, count: int = 5_000) -> dict[str, dict[str, float]]:
    """Processor microseconds of a slate of ten, without and with the features that the ranker read of its items: in the
    thread of stages, what the slate takes along of 500 candidates; on the loop; and in the thread that writes."""
    return {name: _cost(folder / name, count, features) for name, features in (("plain", False), ("sampled", True))}


def _cost(folder: Path, count: int, features: bool) -> dict[str, float]:
    import numpy as np

    from remora.datasets.hash_sampling import in_sample
    from remora.events.file_log import FileLog
    from remora.events.slate_log import encoded
    from remora.feedback.served_slate import ServedItem, ServedSlate, give
    from remora.pipeline import FeatureRows, Slate
    from remora.pipeline.candidates import Candidates
    from remora.pipeline.rows import indices_of

    draw = np.random.default_rng(1)
    rows = draw.permutation(100_000)[:CANDIDATES].astype(np.int32)
    read = FeatureRows(
        schema="0" * 16, instant=datetime.now(UTC), values=draw.normal(size=(CANDIDATES, COLUMNS)).astype(np.float32)
    )
    predicted = {name: draw.random(CANDIDATES) for name in ("liked", "watched")}

    def ranked() -> Slate:
        shown = indices_of(rows[100:110], rows)
        predictions = {name: one[shown] for name, one in predicted.items()}
        taken = read.take(shown) if features else None
        return Slate(
            candidates=Candidates.none(), timings_ms={"total": 5.0}, counts={}, predictions=predictions, features=taken
        )

    def slate(number: int, of: Slate) -> ServedSlate:
        in_sample([f"r{number}"], 0.01, "features")
        items = tuple(ServedItem(f"i{n}", n, 1.0 / n, 1.0, ("nearest_items", "co_visited")) for n in range(1, 11))
        return ServedSlate(
            request_id=f"r{number}", served_at=datetime.now(UTC), user_id="196", surface="home_feed", bundle="b",
            variant="production", requested=10, items=items, context={}, degraded=(), fallback=False, counts={},
            timings_ms={"total": 5.0}, within_ms=150.0, features=of.features,
            predictions={name: tuple(one.tolist()) for name, one in of.predictions.items()},
        )  # fmt: skip

    log = FileLog(folder, segment_bytes=1 << 30, segment_seconds=1e6)
    waiting: list[ServedSlate] = []
    spent = {"stages_us": time.process_time()}
    slates = [ranked() for _ in range(count)]
    spent["loop_us"] = time.process_time()
    for number, of in enumerate(slates):
        give(slate(number, of), (waiting.append,))
    spent["thread_us"] = time.process_time()
    records = [[encoded(one) for one in waiting[start : start + 20]] for start in range(0, count, 20)]
    for some in records:
        log.append(some)
    ends = [*list(spent.values())[1:], time.process_time()]
    log.seal()
    cost = {name: round((end - begun) / count * 1e6, 1) for (name, begun), end in zip(spent.items(), ends, strict=True)}
    return cost | {"bytes": round(sum(len(one) for some in records for one in some) / count)}


def in_process(settings: Settings, folder: Path, seconds: float) -> dict[str, float]:
    """Events a second without HTTP: batches of a thousand, and alone with sixty-four callers that wait."""
    from remora.events.contract import EventContract
    from remora.events.file_log import FileLog
    from remora.events.intake import Intake, IntakeVerdict

    def rate(batch: int, callers: int) -> float:
        log = FileLog(folder / f"alone-{batch}", segment_bytes=64 << 20, segment_seconds=300)
        intake = Intake(log, EventContract.of(settings.data), max_waiting=1_000_000)
        waiting: list[Future[list[IntakeVerdict]]] = []
        done, number, begun = 0, 0, time.monotonic()
        while time.monotonic() - begun < seconds / 2:
            sent = [
                {"event_id": str(number + n), "user_id": "196", "item_id": "50", "event_type": "like"}
                for n in range(batch)
            ]
            waiting.append(intake.take(sent))
            number += batch
            if len(waiting) >= callers:
                done += len(waiting.pop(0).result())
        done += sum(len(one.result()) for one in waiting)
        passed = time.monotonic() - begun
        intake.close()
        return round(done / passed, 1)

    return {"batches": rate(1_000, 4), "singly": rate(1, 64)}


def over_http(url: str, seconds: float, note: Note) -> dict[str, Any]:
    """Medians of the runs, each part of which follows the others."""
    events, slates = f"{url}/v1/events", f"{url}/v1/recommend"
    posting = {"does": "posting", "url": events, "seconds": seconds, "per_second": None}
    asking = {"does": "asking", "url": slates, "seconds": seconds, "per_second": SLATES_PER_SECOND}
    parts: dict[str, list[list[dict[str, Any]]]] = {
        "warm": [[asking]],
        "singly": [[posting | {"batch": 1, "connections": 32}]] * RUNS,
        "batches": [[posting | {"batch": 1_000, "connections": 4}]] * RUNS,
        "slates alone": [[asking]] * RUNS,
        "slates beside 200 events/s": [
            [asking, posting | {"batch": 1, "connections": 32, "per_second": EVENTS_PER_SECOND}]
        ] * RUNS,
        "slates beside batches": [[asking, posting | {"batch": 1_000, "connections": 4}]] * RUNS,
    }  # fmt: skip
    found: dict[str, Any] = {}
    for name, runs in parts.items():
        answers = [together(run) for run in runs]
        found[name] = [medians([answer[place] for answer in answers]) for place in range(len(runs[0]))]
        note(f"{name}: {found[name]}")
    return found


def together(clients: list[dict[str, Any]]) -> list[dict[str, float]]:
    """What each of some clients measured, at work at once."""
    command = [sys.executable, "-m", "benchmarks.events.client"]
    running = [subprocess.Popen([*command, json.dumps(one)], stdout=subprocess.PIPE, text=True) for one in clients]
    return [json.loads(process.communicate()[0]) for process in running]


def medians(runs: list[dict[str, float]]) -> dict[str, float]:
    """Of each figure."""
    return {name: round(median(run[name] for run in runs), 2) for name in runs[0]}


def drawn(out: Console, result: dict[str, Any]) -> None:
    """For people."""
    table = Table(title="Events and the log of slates", title_justify="left")
    table.add_column("what")
    table.add_column("measured")
    for name in ("logging", "in_process", "singly", "batches", "slates alone", "slates beside 200 events/s",
                 "slates beside batches"):  # fmt: skip
        table.add_row(name, json.dumps(result[name]))
    out.print(table)
