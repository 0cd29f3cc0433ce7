"""Measure and decide, gate by gate, and leave out what an earlier failure makes impossible."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from feast import FeatureStore

from remora.features.applied import check_materialized
from remora.features.store import open_store
from remora.ingest.lake import Lake
from remora.pipeline import PipelineState, Query
from remora.registry.bundle import Bundle
from remora.release.gates import (
    calibration,
    coverage,
    index_recall,
    latency,
    load,
    memory,
    offline,
    parity,
    slate_validity,
)
from remora.release.gates.evidence import calibration as of_calibration
from remora.release.gates.evidence import index_recall as of_index
from remora.release.gates.evidence import latency as of_latency
from remora.release.gates.evidence import parity as of_parity
from remora.release.gates.evidence import replays, requests, slates
from remora.release.gates.evidence.bundle_under_test import BundleUnderTest
from remora.release.gates.evidence.fresh_process import FreshProcess, StartLoading
from remora.release.gates.load import LoadResult
from remora.release.gates.memory import Memory
from remora.release.gates.table import GATES
from remora.release.gates.verdict import GateVerdict
from remora.settings import Settings

log = logging.getLogger(__name__)

LoadBundle = Callable[[Bundle, Settings], BundleUnderTest]


@dataclass
class GateResults:
    """What has been found so far."""

    verdicts: list[GateVerdict] = field(default_factory=list)
    not_run: dict[str, str] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)


def measure(
    settings: Settings,
    lake: Lake,
    candidate: Bundle,
    production: Bundle | None,
    *,
    load_bundle: LoadBundle = BundleUnderTest.load,
    clock: of_latency.Clock = time.perf_counter,
    start_loading: StartLoading = FreshProcess.start,
) -> GateResults:
    """Every gate's verdict on ``candidate``. A bundle that kills a process that loads it is not loaded here.

    ``load_bundle`` makes a bundle live, ``clock`` tells how long requests take, ``start_loading`` begins to load a
    bundle in a process of its own. Needs a Ray cluster. NotReady when the store of users does not answer, or holds
    other features than those of now.
    """
    check_materialized(settings)
    found = GateResults()
    mine, theirs = _loaded(settings, candidate, production, start_loading)
    _decide(found, load.GATE, lambda: mine, settings)
    if mine.code != 0:
        _leave_out(found, "the bundle does not load", *(gate for gate in GATES if gate != load.GATE))
        return found
    if production is not None and theirs is not None and theirs.code != 0:
        said = "took too long" if theirs.code is None else load.ended(theirs.code)
        found.remarks.append(f"Production {production.id} does not load (it {said}): nothing is compared with it.")
        production = theirs = None
    pair = Pair(
        settings=settings,
        lake=lake,
        candidate=load_bundle(candidate, settings),
        production=load_bundle(production, settings) if production else None,
        found=found,
        clock=clock,
    )
    pair.decide()
    grown = Memory(candidate_mib=mine.growth_mib, production_mib=theirs.growth_mib if theirs else None)
    _decide(found, memory.GATE, lambda: grown, settings)
    return found


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Both bundles, loaded."""

    settings: Settings
    lake: Lake
    candidate: BundleUnderTest
    production: BundleUnderTest | None
    found: GateResults
    clock: of_latency.Clock

    def decide(self) -> None:
        """All gates that need the bundle open."""
        settings, candidate = self.settings, self.candidate
        schema = self._decide(parity.GATE, self._parity)
        slate = self._decide(slate_validity.GATE, lambda: slates.slate_validity(candidate, self.mine))
        self._decide(index_recall.GATE, lambda: of_index.index_recall(candidate, self._ranked, settings.gates.index_k))
        if slate.raised:
            _leave_out(self.found, "requests end in an error", offline.GATE, coverage.GATE, latency.GATE)
        elif schema.changed:
            _leave_out(self.found, "its features are not there", offline.GATE, coverage.GATE)
        else:
            self._replay()
        self._decide(calibration.GATE, lambda: of_calibration.calibration(candidate, self.production))
        if not slate.raised:
            self._decide(latency.GATE, self._latency)

    @cached_property
    def store(self) -> FeatureStore:
        """Feast's, of the home."""
        return open_store(self.settings)

    @cached_property
    def sample_requests(self) -> tuple[requests.Request, ...]:
        """The requests, of both."""
        return requests.sample_requests(
            self.settings, [self.candidate, *([self.production] if self.production is not None else [])]
        )

    @cached_property
    def mine(self) -> tuple[PipelineState, ...]:
        """The requests in the candidate's rows, hydrated."""
        return requests.hydrated(self.candidate, self.sample_requests)

    @property
    def _ranked(self) -> list[Query]:
        return [one.query for one in self.mine if one.query.surface == self.settings.ranking.surface]

    def _parity(self) -> parity.Parity:
        return of_parity.parity(self.settings, self.lake, self.store, self.candidate)

    def _replay(self) -> None:
        bounds, evaluation = self.settings.gates, self.settings.evaluation
        production = self._replayable
        done = replays.replayed(self.settings, self.lake, self.store, self.candidate, production)
        self._decide(offline.GATE, lambda: replays.offline(done, bounds, evaluation))
        self._decide(coverage.GATE, lambda: replays.covered(done))

    @property
    def _replayable(self) -> BundleUnderTest | None:
        """Production, unless its features are not those of the store any more."""
        if self.production is None:
            return None
        then_and_now = of_parity.services(self.production, self.store)
        if all(then == now for then, now in then_and_now.values()):
            return self.production
        self.found.remarks.append(
            f"Production {self.production.bundle.id} was made of another schema of the features: it is not replayed."
        )
        return None

    def _latency(self) -> latency.Latency:
        other = None
        if self.production is not None:
            theirs = requests.hydrated(self.production, self.sample_requests)
            other = of_latency.BundleRequests(loaded=self.production, requests=theirs)
        mine = of_latency.BundleRequests(loaded=self.candidate, requests=self.mine)
        return of_latency.latency(mine, other, self.settings, self.clock)

    def _decide(self, gate: str, measured: Callable[[], Any]) -> Any:
        return _decide(self.found, gate, measured, self.settings)


def _decide(found: GateResults, gate: str, measured: Callable[[], Any], settings: Settings) -> Any:
    """Measure, add the verdict, and give the evidence."""
    start = time.monotonic()
    evidence = measured()
    verdict = GATES[gate](evidence, settings.gates)
    found.verdicts.append(verdict)
    how = "passed" if verdict.passed else "failed"
    log.info("gate %s %s in %.1f s: %s", gate, how, time.monotonic() - start, verdict.sentence)
    return evidence


def _leave_out(found: GateResults, why: str, *gates: str) -> None:
    found.not_run.update(dict.fromkeys(gates, why))


def _loaded(
    settings: Settings, candidate: Bundle, production: Bundle | None, start_loading: StartLoading
) -> tuple[LoadResult, LoadResult | None]:
    """Both loaded at the same time, each in a process of its own."""
    mine = start_loading(candidate, settings)
    theirs = start_loading(production, settings) if production else None
    return mine.ended(), theirs.ended() if theirs else None
