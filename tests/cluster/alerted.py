"""What is scraped of a served app before and while something is wrong with it; prints the scrapes.

A program of its own, because Ray reads how often it reports when its cluster starts:
``python -m tests.cluster.alerted``.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psutil
import yaml
from benchmarks.command import free_port
from benchmarks.faults.scenarios import running
from tests.cluster import promql
from tests.serving.small_shop import N_ITEMS, USERS, SmallShop, settings

from remora.control.traffic import Traffic, TrafficStore
from remora.core.errors import NotReady
from remora.core.home import Home
from remora.features.live.users import LiveStats
from remora.pipeline import Hydrator, Query, StageContext
from remora.registry.unrecorded import UnrecordedMove, UnrecordedMoves
from remora.serving.deploy import listen
from remora.serving.metrics import LiveMetrics
from remora.wiring.cluster import connect

APP = "remora"
OFTEN = {
    "RAY_metrics_report_interval_ms": "500",
    "RAY_SERVE_STATUS_GAUGE_REPORT_INTERVAL_S": "1",
    "RAY_SERVE_HAPROXY_METRICS_REPORT_INTERVAL_S": "1",
}
PATIENCE_SECONDS = 60.0
ROOT = Path(__file__).parents[2]
RULES = [
    rule
    for g in yaml.safe_load((ROOT / "deploy/prometheus/remora_alerts.yml").read_text())["groups"]
    for rule in g["rules"]
]
ASKED = tuple(sorted(promql.names(rule["expr"] for rule in RULES)))
"""Metrics that the alerts ask for; nothing else of a scrape is kept, which has 10,000 lines."""


@dataclass(frozen=True)
class Moody:
    """Users of a store that a file in the home closes, breaks or slows down."""

    users: Hydrator
    home: str

    def hydrate(self, query: Query) -> Query:
        if Path(self.home, "closed").exists():
            raise NotReady("the online store does not answer")
        if Path(self.home, "broken").exists():
            raise ZeroDivisionError
        if Path(self.home, "slow").exists():
            threading.Event().wait(0.3)
        return self.users.hydrate(query)


@dataclass(frozen=True)
class MoodyShop(SmallShop):
    """The small shop, with those users, and a bundle that cannot be opened."""

    def context(self, bundle: str) -> StageContext:
        if bundle == "damaged":
            raise NotReady("it is damaged")
        return super().context(bundle)

    def users(self, context: StageContext) -> Hydrator:
        return Moody(super().users(context), self.settings.home)


class Exporters:
    """What Prometheus would scrape: Ray's exporter of the node, and HAProxy's."""

    def __init__(self) -> None:
        import ray

        node = ray.nodes()[0]
        self._urls = {
            "ray": f"http://{node['NodeManagerAddress']}:{node['MetricsExportPort']}/metrics",
            "haproxy": f"http://127.0.0.1:{os.environ['RAY_SERVE_HAPROXY_METRICS_PORT']}/metrics",
        }

    def scrape(self) -> dict[str, str]:
        """By job; a job whose exporter does not answer is left out."""
        found = {}
        for job, url in self._urls.items():
            with suppress(httpx.TransportError):
                lines = httpx.get(url, timeout=30).text.splitlines()
                found[job] = "\n".join(line for line in lines if line.partition("{")[0] in ASKED) + "\n"
        return found

    def until(self, what: str, seen: Callable[[dict[str, str]], bool]) -> dict[str, str]:
        """The first scrape in which something is seen."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not seen(found := self.scrape()):
            if time.monotonic() > deadline:
                raise TimeoutError(f"Nothing is seen of: {what}")
            threading.Event().wait(0.3)
        return found


def total(scrape: dict[str, str], job: str, *parts: str) -> float:
    """The sum of a scrape's samples whose lines have all parts."""
    lines = (line for line in scrape.get(job, "").splitlines() if all(part in line for part in parts))
    return sum(float(line.rpartition(" ")[2]) for line in lines)


class Scene:
    """A served shop, and what can be done to it."""

    def __init__(self, shop: SmallShop) -> None:
        self.shop, self.home = shop, Home(shop.settings.home)
        self.url = f"http://127.0.0.1:{shop.settings.serving.port}"
        # One client: each new one reads the machine's certificates, which is most of what a request costs here.
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=200)
        self.client = httpx.Client(base_url=self.url, timeout=60, limits=limits)
        self.exporters = Exporters()
        self.scrapes: dict[str, list[dict[str, str]]] = {}

    def watched(self, name: str, happening: Callable[[], object], job: str, *parts: str) -> None:
        """Keep a scrape from before something happens and one in which it has grown visible."""
        before = self.exporters.scrape()
        was = total(before, job, *parts)
        print(name, time.monotonic(), file=sys.stderr)
        happening()
        self.scrapes[name] = [before, self.exporters.until(name, lambda now: total(now, job, *parts) > was)]

    def undone(self, name: str, kill: Callable[[], None], seen: Callable[[dict[str, str]], bool]) -> None:
        """The same of what Serve mends in a moment: it is done until a scrape meets it."""

        def met(scrape: dict[str, str]) -> bool:
            if seen(scrape):
                return True
            kill()
            return False

        self.scrapes[name] = [self.exporters.scrape(), self.exporters.until(name, met)]

    def ask(self, **options: Any) -> int:
        body = {"user_id": USERS[0], "n": 7} | options.pop("body", {})
        return self.client.post("/v1/recommend", json=body, **options).status_code

    def ask_often(self, times: int = 40, **options: Any) -> list[int]:
        return [self.ask(**options) for _ in range(times)]

    def ask_too_often(self, clients: int = 160) -> None:
        """More requests at once than a replica works on, until one is turned away."""

        def ask(number: int) -> int:
            return self.ask(body={"user_id": f"v{number}"}, headers={"X-Request-Timeout-Ms": "1000"})

        with ThreadPoolExecutor(clients) as pool:
            while 503 not in set(pool.map(ask, range(2 * clients))):
                continue

    def kill_replicas(self) -> None:
        for pid in running(APP)["Gateway"]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def kill_haproxy(self) -> None:
        for process in psutil.Process().children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                if process.name() == "haproxy":
                    process.kill()

    @contextmanager
    def mood(self, name: str) -> Any:
        file = Path(self.shop.settings.home, name)
        file.touch()
        try:
            yield
        finally:
            file.unlink()

    def send_events(self, times: int = 40) -> list[int]:
        def event(number: int) -> dict[str, str]:
            return {
                "event_id": f"e{number}-{time.monotonic_ns()}",
                "user_id": USERS[0],
                "item_id": "i01",
                "event_type": "buy",
            }

        bodies = ({"events": [event(number)]} for number in range(times))
        return [self.client.post("/v1/events", json=body).status_code for body in bodies]

    def without_log(self, topic: str, do: Callable[[], object]) -> None:
        """Do it while a file stands where the log's folder is."""
        folder = Path(str(self.shop.settings.events.folder), topic)
        aside = folder.rename(folder.with_name(f"{topic}-aside"))
        folder.touch()
        try:
            do()
        finally:
            folder.unlink()
            aside.rename(folder)

    def in_a_mood(self, name: str, do: Callable[[], object]) -> None:
        with self.mood(name):
            do()


def strangers(scene: Scene, times: int = 40) -> list[int]:
    """Requests of users that no cache knows."""
    return [scene.ask(body={"user_id": f"s{time.monotonic_ns()}"}) for _ in range(times)]


def main() -> None:
    """Serve, do one thing after the other, print what was scraped."""
    os.environ.update(OFTEN)
    with tempfile.TemporaryDirectory() as home:
        many = {"min_replicas": 1, "cpus_per_replica": 0.5, "health_check_interval_seconds": 5, "proxy": "haproxy"}
        chosen = settings(home, log=f"{home}/log", port=free_port(), **many)
        # The log begins a new file soon, and finds out that its folder is gone.
        events = chosen.events.model_copy(update={"segment_bytes": 1 << 10})
        shop = MoodyShop(chosen.model_copy(update={"events": events}))
        board = TrafficStore(Home(home))
        board.publish(Traffic(production="small"))
        connect(shop.settings)
        import ray
        from ray import serve

        from remora.serving.app import assemble

        try:
            listen(shop.settings)
            serve.run(assemble(shop, "fused"), name=APP, route_prefix="/")
            scene = Scene(shop)
            play(scene, board)
        finally:
            ray.shutdown()
    print(json.dumps(scene.scrapes))


def play(scene: Scene, board: TrafficStore) -> None:
    """Healthy first, what cannot be undone last."""
    exporters = scene.exporters
    scene.ask_often(20)
    exporters.until(
        "a healthy replica",
        lambda now: total(now, "ray", "ray_serve_deployment_replica_healthy", 'deployment="Gateway"') == 1,
    )
    scene.watched("healthy", lambda: scene.ask_often(200), "ray", "ray_remora_requests_total")
    late = {"headers": {"X-Request-Timeout-Ms": "1"}}
    scene.watched("fallback", lambda: scene.ask_often(40, **late), "ray", "ray_remora_fallback_slates_total")
    everything = {"body": {"exclude": [f"i{row:02}" for row in range(N_ITEMS)]}}
    scene.watched(
        "empty",
        lambda: scene.ask_often(5, **everything),
        "ray",
        "ray_remora_underfilled_slates_total",
        'reason="empty"',
    )
    closed = ("ray", "ray_remora_degraded_total", 'reason="user_store"')
    scene.watched("store out", lambda: scene.in_a_mood("closed", lambda: strangers(scene)), *closed)
    failed = ("ray", "ray_serve_num_http_requests_total", 'status_code="500"')
    scene.watched("errors", lambda: scene.in_a_mood("broken", lambda: strangers(scene)), *failed)
    slow = ("ray", "ray_remora_stage_duration_seconds_bucket", 'stage="total"')
    scene.watched("slow", lambda: scene.in_a_mood("slow", lambda: strangers(scene, 12)), *slow)
    busy = ("ray", "ray_serve_num_http_requests_total", 'status_code="503"')
    scene.watched("busy", lambda: scene.in_a_mood("slow", lambda: scene.ask_too_often()), *busy)
    assert set(scene.send_events()) == {200}
    not_taken = ("ray", "ray_remora_events_total", 'verdict="not taken"')
    scene.watched("events not taken", lambda: scene.without_log("events", scene.send_events), *not_taken)
    scene.watched(
        "slates not logged",
        lambda: scene.without_log("slates", scene.ask_often),
        "ray",
        "ray_remora_slates_not_logged_total",
    )
    # The state of a shop without feature tables never begins: what it would say is said here, to the same exporter.
    live, late_event = LiveMetrics(0), datetime.now(UTC) - timedelta(minutes=1)
    behind = LiveStats(events=1, learned=late_event)
    scene.watched("live state behind", lambda: live.show(behind), "ray", "ray_remora_live_lag_seconds")
    failing = replace(behind, failed=3)
    scene.watched("live state failing", lambda: live.show(failing), "ray", "ray_remora_live_failed_users")
    live.show(LiveStats())
    moved = (UnrecordedMove(alias="production", recorded="small", found="other"),)
    noted = UnrecordedMoves(scene.home)
    scene.watched("alias moved", lambda: noted.write(moved), "ray", "ray_remora_unrecorded_alias_moves")
    noted.write(())
    damaged = Traffic(production="damaged", previous="small")
    scene.watched("refused", lambda: board.publish(damaged), "ray", "ray_remora_refused_bundles")
    scene.scrapes["not ready"] = [scene.scrapes["refused"][0], exporters.scrape()]
    board.publish(Traffic(production="small"))
    ready = "ray_remora_replica_ready"
    exporters.until(
        "ready again",
        lambda now: total(now, "ray", ready) >= 1 and total(now, "ray", "ray_remora_refused_bundles") == 0,
    )
    healthy = ("ray", "ray_serve_deployment_replica_healthy", 'deployment="Gateway"')
    scene.undone("replica down", scene.kill_replicas, lambda now: total(now, *healthy) < 1)
    scene.undone("haproxy down", scene.kill_haproxy, lambda now: "haproxy" not in now)


if __name__ == "__main__":
    main()
