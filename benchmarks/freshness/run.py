"""From an event to a changed slate, in milliseconds: python -m benchmarks.freshness (after `make demo`) [--json].

The bundle in production is served on a cluster of this command's own, behind HAProxy, beside 200 events and 20 slates
a second. Users act on the first item of their slate, and what is measured is how long after the 2xx a slate without it
has come: while all is well, while replicas and state writers are killed, and with Kafka as the log. Clients, proxy,
replica, state and broker share the machine's cores. The log is of this run alone; rows of the live state that the home
had are made again by whoever serves it next.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.broker import create
from benchmarks.broker import running as broker_running
from benchmarks.command import Note, carried_out, common_options, free_port
from benchmarks.endpoint import behind, endpoint
from rich.console import Console
from rich.table import Table

from remora.settings import Settings, load

APP = "remora"
SLATES_PER_SECOND, EVENTS_PER_SECOND = 20.0, 200.0
SECONDS_BETWEEN_KILLS = 5.0
PROBES_AT_ONCE = 1


@dataclass(frozen=True)
class Case:
    """What is asked of the app meanwhile, and what becomes of it."""

    loaded: bool = True
    kills: bool = False
    kafka: bool = False
    serving: Mapping[str, Any] = field(default_factory=dict)
    live: Mapping[str, Any] = field(default_factory=dict)


ONE = {"min_replicas": 1, "max_replicas": 1}
"""A replica that is started meanwhile takes a core for seconds: what a load is scaled to is another question."""

CASES = {
    "without other load": Case(loaded=False, serving=ONE),
    "all is well": Case(serving=ONE),
    "while replicas and state writers are killed": Case(
        kills=True,
        serving={"min_replicas": 2, "max_replicas": 2, "cpus_per_replica": 0.2},
        live={"replicas": 2},
    ),
    "with Kafka": Case(kafka=True, serving=ONE),
}


def main() -> None:
    """Run, and print or write."""
    options = common_options(__doc__)
    options.add_argument("--config", type=Path, help="settings; default: the active home's")
    options.add_argument("--seconds", type=float, default=40.0, help="of each measurement")
    options.add_argument("--replayed", type=int, default=200_000, help="events that a state reads at its beginning")
    options.add_argument("--case", choices=CASES, action="append", help="this one alone, or several; default: all")
    chosen = options.parse_args()
    cases = chosen.case or list(CASES)
    carried_out(
        "freshness",
        lambda folder, note: measured(load(chosen.config), folder, chosen.seconds, chosen.replayed, cases, note),
        facts={
            "seconds": chosen.seconds,
            "events_per_second": EVENTS_PER_SECOND,
            "slates_per_second": SLATES_PER_SECOND,
        },
        out=chosen.out,
        as_json=chosen.json,
        draw=drawn,
    )


def measured(
    settings: Settings, folder: Path, seconds: float, replayed: int, cases: Sequence[str], note: Note
) -> dict[str, Any]:
    """Everything that is reported."""
    from remora.wiring.cluster import quiet, use_token

    quiet()
    use_token()  # before anything imports Ray
    found: dict[str, Any] = {"replay": replay(settings, folder / "replay", replayed)}
    note(f"replay: {found['replay']}")
    users = some_users(settings)
    with endpoint(behind(settings, "haproxy")) as url, ExitStack() as stack:
        for name in cases:
            case = CASES[name]
            kafka = brokers(stack, folder) if case.kafka else None
            chosen = changed(settings, folder / name, case.serving, case.live, kafka)
            with served(chosen):
                note(f"{name}: serving")
                found[name] = probed(url, chosen, users, seconds, loaded=case.loaded, kills=case.kills)
            users = users[::-1]
            note(f"{name}: {found[name]}")
    return found


def changed(
    settings: Settings, folder: Path, serving: Mapping[str, Any], live: Mapping[str, Any], kafka: str | None
) -> Settings:
    """The settings with a log of their own."""
    folder.mkdir(parents=True)
    events = settings.events.model_copy(
        update={
            "folder": str(folder),
            "live": settings.events.live.model_copy(update=live),
            "kafka": settings.events.kafka.model_copy(update={"brokers": kafka}),
        }
    )
    serve = settings.serving.model_copy(update={"proxy": "haproxy", **serving})
    return settings.model_copy(update={"events": events, "serving": serve})


def brokers(stack: ExitStack, folder: Path) -> str:
    """A broker from a wheel, in memory, with the topics."""
    port, place = free_port(), folder / "broker"
    place.mkdir()
    stack.enter_context(broker_running(port, place))
    for topic in ("remora-events", "remora-slates"):
        create(f"127.0.0.1:{port}", topic, 2)
    return f"127.0.0.1:{port}"


@contextmanager
def served(settings: Settings) -> Iterator[None]:
    """The app, which answers, and whose live state has begun, when the block begins."""
    from ray import serve

    from remora.features.live.row_store import LiveRowStore
    from remora.serving.app import assemble
    from remora.serving.bundle_loader import BundleLoader

    store = LiveRowStore(settings)
    store.announce(0, [])
    serve.run(assemble(BundleLoader.named(settings, "production"), "fused"), name=APP, route_prefix="/")
    deadline = time.monotonic() + 60
    while not store.announced(0):
        if time.monotonic() > deadline:
            raise SystemExit("the live state does not begin")
        time.sleep(0.1)
    yield
    serve.delete(APP)


def probed(
    url: str, settings: Settings, users: list[str], seconds: float, *, loaded: bool, kills: bool
) -> dict[str, Any]:
    """Quantiles of the probes, beside the load."""
    client = ["-m", "benchmarks.events.client"]
    posting = {"does": "posting", "url": f"{url}/v1/events", "seconds": seconds + 5, "batch": 1, "connections": 16,
               "per_second": EVENTS_PER_SECOND}  # fmt: skip
    asking = {"does": "asking", "url": f"{url}/v1/recommend", "seconds": seconds + 5, "per_second": SLATES_PER_SECOND}
    probing = {"url": url, "users": users, "event_type": settings.data.positive_types[0], "seconds": seconds,
               "workers": PROBES_AT_ONCE}  # fmt: skip
    load = [started([*client, json.dumps(one)]) for one in (posting, asking) if loaded]
    ended, killed = threading.Event(), list[str]()
    killer = threading.Thread(target=killing, args=(ended, killed), daemon=True)
    if kills:
        killer.start()
    try:
        answer = started(["-m", "benchmarks.freshness.probe", json.dumps(probing)]).communicate()[0]
    finally:
        ended.set()
        if kills:
            killer.join()
    beside = [one.communicate()[0] for one in load]
    said = json.loads(answer)
    took = said.pop("took_ms")
    quantiles = {f"p{q}_ms": round(float(np.percentile(took, q)), 1) for q in (50, 90, 99)} if took else {}
    loads = {name: json.loads(one) for name, one in zip(("events", "slates"), beside, strict=False)}
    return {
        "probes": len(took),
        **quantiles,
        "max_ms": max(took, default=None),
        **said,
        "killed": killed,
        "load": loads,
    }


def started(arguments: list[str]) -> subprocess.Popen[str]:
    """A program of this environment."""
    return subprocess.Popen([sys.executable, *arguments], stdout=subprocess.PIPE, text=True)


def killing(ended: threading.Event, killed: list[str]) -> None:
    """Kill one of two replicas or of two state writers, in turn, each when both of them run."""
    from benchmarks.faults.scenarios import running

    draw, turn = random.Random(7), 0
    while not ended.wait(SECONDS_BETWEEN_KILLS):
        name = ("LiveUsers0", "Gateway")[turn % 2]
        found = running(APP).get(name, set())
        if len(found) == 2:
            turn += 1
            killed.append(name)
            with suppress(ProcessLookupError):
                os.kill(draw.choice(sorted(found)), signal.SIGKILL)


def replay(settings: Settings, folder: Path, count: int) -> dict[str, float]:
    """Events a second from a log into the state, and with the rows of all users they touch."""
    from remora.events.contract import EventContract
    from remora.events.file_log import FileLog
    from remora.events.intake import Intake
    from remora.features.live.row_store import LiveRowStore
    from remora.features.live.users import LiveUsers

    users, draw = some_users(settings), np.random.default_rng(5)
    items = np.array([str(number) for number in range(1, 1_600)])
    chosen = changed(settings, folder, {}, {}, None)
    log = FileLog(folder / "events", segment_bytes=64 << 20, segment_seconds=1e6)
    intake = Intake(log, EventContract.of(settings.data), max_waiting=10 * count)
    kind = settings.data.positive_types[0]
    who, what = draw.choice(users, count), draw.choice(items, count)
    taken = [
        intake.take(
            [
                {"event_id": f"r{n}", "user_id": str(who[n]), "item_id": str(what[n]), "event_type": kind}
                for n in range(start, min(count, start + 1_000))
            ]
        )
        for start in range(0, count, 1_000)
    ]
    for one in taken:
        one.result()
    intake.close()
    store = LiveRowStore(chosen)
    begun = time.perf_counter()
    state = LiveUsers.open(chosen, store, 0)
    read = time.perf_counter() - begun
    state.write(state.changed_users())
    rows = time.perf_counter() - begun - read
    return {
        "events": state.stats.events,
        "users": state.stats.rows,
        "read_seconds": round(read, 2),
        "rows_seconds": round(rows, 2),
        "events_per_second": round(state.stats.events / (read + rows), 1),
        "rows_per_second": round(state.stats.rows / rows, 1),
    }


def some_users(settings: Settings) -> list[str]:
    """All users of the home, in an order by chance."""
    from remora.core.home import Home
    from remora.features.tables import FeatureTables

    users = FeatureTables.open(Home(settings.home)).some_users(1 << 40)
    random.Random(3).shuffle(users)
    return users


def drawn(console: Console, found: dict[str, Any]) -> None:
    """For people."""
    table = Table(title="From the 2xx of an event to a changed slate")
    for column in ("", "probes", "p50 ms", "p90 ms", "p99 ms", "most ms", "not within 10 s", "came back", "killed"):
        table.add_column(column, justify="left" if not column else "right")
    for name, row in found.items():
        if isinstance(row, dict) and "probes" in row:
            cells = [row[key] for key in ("probes", "p50_ms", "p90_ms", "p99_ms", "max_ms", "missed", "came_back")]
            table.add_row(name, *map(str, cells), str(len(row["killed"])))
    console.print(table)
    again = found["replay"]
    console.print(
        f"A state begins with {again['events']:,} events of a log in {again['read_seconds']} s and writes "
        f"{again['users']:,} rows in {again['rows_seconds']} s: {again['events_per_second']:,} events/s."
    )
