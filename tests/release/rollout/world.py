"""A small world: replicas that follow the traffic and count what they answer, by seeded draws; time is told to them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np
from tests.registry import releases

from remora.control.replica_status import EMPTY, ReplicaStatus, ReplicaStatuses, RequestStats, ShadowStats
from remora.control.traffic import Traffic, TrafficStore
from remora.core.home import Home
from remora.registry.bundles import Bundles
from remora.settings import Settings

FAST, SLOW = 2, 8
"""Buckets of latency: below 20 ms, and 150 to 250 ms."""


@dataclass(frozen=True)
class Pointers:
    """Aliases in a file of the home, for which MLflow would take seconds."""

    home: Home
    path: str = "aliases.json"

    def register(self, bundle: str, source: str) -> str:
        return bundle

    def point(self, alias: str, version: str) -> None:
        self.home.write_json(self.path, self.bundles() | {alias: version})

    def bundles(self) -> dict[str, str]:
        return dict(json.loads(self.home.read_bytes(self.path))) if self.home.exists(self.path) else {}


def registry(settings: Settings) -> Bundles:
    """The registry of a home, all of it but for MLflow."""
    bundles = Bundles(settings)
    bundles._pointers.__dict__["_aliases"] = Pointers(Home(settings.home))
    return bundles


@dataclass(frozen=True, kw_only=True)
class Nature:
    """How a bundle behaves: rates of what it does wrong, the overlap of its slates, its scores, when it is ready."""

    failed: float = 0.0
    deadline_exceeded: float = 0.001
    degraded: float = 0.002
    underfilled: float = 0.001
    unscored: float = 0.0
    latency: float = 0.005
    overlap: float = 0.6
    scores: float = 1.0
    loads_in: float = 2.0
    refuses: bool = False


@dataclass
class Replica:
    """Sums of one replica."""

    name: str
    heartbeat: int = 0
    held: dict[str, float] = field(default_factory=dict)
    answers: dict[str, RequestStats] = field(default_factory=dict)
    shadowed: dict[str, ShadowStats] = field(default_factory=dict)


@dataclass
class World:
    """Time, replicas and their requests. ``natures`` tells of bundles that are not healthy."""

    settings: Settings
    natures: dict[str, Nature] = field(default_factory=dict)
    requests_per_second: float = 400.0
    seed: int = 7
    now: datetime = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)

    def __post_init__(self) -> None:
        self.bundles = registry(self.settings)
        self.random = np.random.default_rng(self.seed)
        self.replicas = [Replica("one"), Replica("two")]
        self.production, self.candidate = (releases.build(self.bundles, model).id for model in (b"old", b"new"))
        self.bundles.promote(self.production, by="ann", why="first")

    def clock(self) -> datetime:
        return self.now

    @property
    def traffic(self) -> Traffic:
        found = TrafficStore(self.bundles.home).read()
        assert found is not None
        return found

    def pass_by(self, seconds: float) -> None:
        """Let time pass: replicas load what is named, answer, and report."""
        self.now += timedelta(seconds=seconds)
        for replica in self.replicas:
            self._load(replica, seconds)
            self._answer(replica, int(self.requests_per_second * seconds / len(self.replicas)))
            self._report(replica)

    def _nature(self, bundle: str) -> Nature:
        return self.natures.get(bundle, Nature())

    def _ready(self, replica: Replica) -> tuple[str, ...]:
        return tuple(
            b for b, t in replica.held.items() if t >= self._nature(b).loads_in and not self._nature(b).refuses
        )

    def _load(self, replica: Replica, seconds: float) -> None:
        named = self.traffic.bundles
        replica.held = {b: replica.held.get(b, 1e9 if b == self.production else 0.0) + seconds for b in named}

    def _answer(self, replica: Replica, requests: int) -> None:
        traffic, ready = self.traffic, self._ready(replica)
        canary = 0
        if traffic.canary and traffic.canary.bundle in ready:
            canary = int(self.random.binomial(requests, traffic.canary.share))
            self._count(replica, traffic.canary.bundle, canary)
        self._count(replica, traffic.production, requests - canary)
        if traffic.shadow and traffic.shadow in ready:
            self._compare(replica, traffic.shadow, requests - canary)

    def _count(self, replica: Replica, bundle: str, n: int) -> None:
        counts = self._wrong(bundle, n, ("failed", "deadline_exceeded", "degraded", "underfilled", "unscored"))
        answers = RequestStats(requests=n, milliseconds=self._milliseconds(bundle, n), **counts)
        replica.answers[bundle] = replica.answers.get(bundle, RequestStats()) + answers

    def _compare(self, replica: Replica, bundle: str, n: int) -> None:
        nature, items = self._nature(bundle), 10 * n
        scores = self.random.normal(nature.scores, 1.0, 2).tolist()  # a mean of many moves little
        answers = RequestStats(
            requests=n,
            items=items,
            scores=items * (nature.scores + 0.01 * (scores[0] - nature.scores)),
            squares=items * (nature.scores**2 + 1.0),
            milliseconds=self._milliseconds(bundle, n),
            **self._wrong(bundle, n, ("failed", "deadline_exceeded", "underfilled", "unscored")),
        )
        milliseconds = self._milliseconds(self.production, n)
        shown = RequestStats(
            requests=n, items=items, scores=items * 1.0, squares=items * 2.0, milliseconds=milliseconds
        )
        overlap = float(self.random.binomial(items, nature.overlap)) / 10
        sums = ShadowStats(answers=answers, shown=shown, overlap=overlap)
        replica.shadowed[bundle] = replica.shadowed.get(bundle, ShadowStats()) + sums

    def _wrong(self, bundle: str, n: int, names: tuple[str, ...]) -> dict[str, int]:
        return {name: int(self.random.binomial(n, getattr(self._nature(bundle), name))) for name in names}

    def _milliseconds(self, bundle: str, n: int) -> tuple[int, ...]:
        slow, buckets = int(self.random.binomial(n, self._nature(bundle).latency)), list(EMPTY)
        buckets[FAST], buckets[SLOW] = n - slow, slow
        return tuple(buckets)

    def _report(self, replica: Replica) -> None:
        replica.heartbeat += 1
        refused: Mapping[str, str] = {b: "it is broken" for b in replica.held if self._nature(b).refuses}
        report = ReplicaStatus(
            replica=replica.name,
            deployment="Gateway",
            heartbeat=replica.heartbeat,
            revision=self.traffic.revision,
            ready=self._ready(replica),
            refused=dict(refused),
            answers=replica.answers,
            shadowed=replica.shadowed,
        )
        ReplicaStatuses(self.bundles.home).write(report)
