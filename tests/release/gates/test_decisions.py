"""Every gate is a pure function: worse evidence never passes where better failed, and the sentence has the numbers."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.release.gates.drawn import DRAWN

from remora.release.gates.calibration import Calibration
from remora.release.gates.coverage import CoverageEvidence
from remora.release.gates.latency import Latency
from remora.release.gates.load import LoadResult
from remora.release.gates.memory import Memory
from remora.release.gates.offline import MetricComparison, Offline
from remora.release.gates.parity import Parity
from remora.release.gates.report import GateReport
from remora.release.gates.slate_validity import Offender, SlateValidity
from remora.release.gates.table import GATES
from remora.release.gates.verdict import Check, GateVerdict, number
from remora.settings import GatesSettings, MetricBound

BOUNDS = GatesSettings(offline=(MetricBound(metric="ndcg", cutoff=10, margin=0.1, floor=0.05),))


def test_every_gate_is_drawn() -> None:
    assert list(DRAWN) == list(GATES)


@pytest.mark.parametrize("gate", GATES)
@given(data=st.data())
def test_worse_evidence_never_turns_a_failure_into_a_pass(gate: str, data: st.DataObject) -> None:
    pair = data.draw(DRAWN[gate])
    assert GATES[gate](pair.worse, BOUNDS).passed <= GATES[gate](pair.better, BOUNDS).passed


@pytest.mark.parametrize("gate", GATES)
@given(data=st.data())
def test_a_verdict_is_on_the_side_of_its_bound_and_is_json(gate: str, data: st.DataObject) -> None:
    verdict = GATES[gate](data.draw(DRAWN[gate]).better, BOUNDS)
    assert verdict.gate == gate
    assert GateVerdict.model_validate_json(verdict.model_dump_json()) == verdict
    json.dumps(verdict.evidence, allow_nan=False)


@pytest.mark.parametrize("gate", sorted(set(GATES) - {"loads"}))
@given(data=st.data())
def test_the_sentence_carries_both_numbers(gate: str, data: st.DataObject) -> None:
    verdict = GATES[gate](data.draw(DRAWN[gate]).worse, BOUNDS)
    assert verdict.measured is not None
    assert verdict.bound is not None
    assert number(verdict.measured) in verdict.sentence
    assert number(verdict.bound) in verdict.sentence


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), st.booleans())
def test_a_check_holds_exactly_on_its_side(measured: float, bound: float, at_most: bool) -> None:
    check = Check(what="it", measured=measured, bound=bound, unit="", at_most=at_most)
    assert check.holds == (measured <= bound if at_most else measured >= bound)


def test_what_was_not_measured_does_not_hold() -> None:
    for at_most in (True, False):
        check = Check(what="it", measured=math.nan, bound=1, unit="", at_most=at_most)
        assert not check.holds
        assert "not measured" in check.sentence


def offline(**of: float) -> GateVerdict:
    compared = MetricComparison(metric="ndcg", cutoff=10, **of)
    window = {"queries": 300, "users": 100, "start": "2026-01-01", "end": "2026-02-01"}
    return GATES["offline"](Offline(compared=(compared,), **window), BOUNDS)  # type: ignore[arg-type]


def test_what_lies_wholly_above_the_margin_is_not_worse() -> None:
    assert offline(candidate=0.199, production=0.2, low=-0.019, high=0.017).passed


def test_a_candidate_that_may_have_lost_more_than_the_margin_fails_though_its_mean_is_better() -> None:
    verdict = offline(candidate=0.21, production=0.2, low=-0.03, high=0.05)
    assert not verdict.passed
    assert (verdict.measured, verdict.bound) == (-0.03, pytest.approx(-0.02))
    assert "-0.03, 0.01 below the bound of -0.02" in verdict.sentence
    assert "candidate 0.2100, production 0.2000" in verdict.sentence


def test_another_surface_that_lost_fails_and_is_named_and_floors_are_of_the_ranked_one() -> None:
    ranked = MetricComparison(metric="ndcg", cutoff=10, candidate=0.2, production=0.2, low=-0.01, high=0.01)
    window = {"queries": 300, "users": 100, "start": "2026-01-01", "end": "2026-02-01"}

    def verdict(**of: float) -> GateVerdict:
        other = MetricComparison(metric="ndcg", cutoff=10, surface="similar_items", **of)
        return GATES["offline"](Offline(compared=(ranked, other), **window), BOUNDS)  # type: ignore[arg-type]

    assert verdict(candidate=0.01, production=0.01, low=-0.0001, high=0.0001).passed
    lost = verdict(candidate=0.08, production=0.1, low=-0.03, high=-0.01)
    assert not lost.passed
    assert "ndcg@10 of similar_items" in lost.sentence


def test_without_production_only_the_floor_holds_and_it_is_said() -> None:
    assert offline(candidate=0.06).passed
    assert "no production" in offline(candidate=0.06).sentence
    assert not offline(candidate=0.04).passed


def test_nothing_asked_is_no_pass() -> None:
    verdict = GATES["offline"](Offline(queries=0, users=0, start="a", end="b", compared=()), BOUNDS)
    assert not verdict.passed
    coverage = GATES["coverage"](CoverageEvidence(candidate=0, production=None, slates=0, cutoff=10, items=9), BOUNDS)
    assert not coverage.passed


def test_a_metric_that_was_not_measured_fails() -> None:
    twice = GatesSettings(offline=(MetricBound(metric="ndcg"), MetricBound(metric="recall", cutoff=20)))
    compared = MetricComparison(metric="ndcg", cutoff=10, candidate=0.3)
    found = GATES["offline"](Offline(queries=9, users=9, start="a", end="b", compared=(compared,)), twice)
    assert not found.passed
    assert "recall@20 is not measured" in found.sentence


@pytest.mark.parametrize(
    ("code", "words"),
    [(-11, "signal 11 (SIGSEGV)"), (-6, "signal 6 (SIGABRT)"), (3, "exit code 3"), (None, "not loaded in 9.0 s")],
)
def test_a_process_that_dies_fails_in_words(code: int | None, words: str) -> None:
    verdict = GATES["loads"](LoadResult(code=code, seconds=9.0, said="OSError: no such file"), BOUNDS)
    assert not verdict.passed
    assert words in verdict.sentence
    assert "OSError: no such file" in verdict.sentence


def test_a_service_that_is_gone_or_of_another_schema_is_named() -> None:
    services = {"retrieval": ("aa", None), "ranking": ("bb", "cc"), "user": ("dd", "dd")}
    verdict = GATES["parity"](Parity(services=services, differing=(), columns=0, users=0, items=0), BOUNDS)
    assert (verdict.passed, verdict.measured) == (False, 2)
    assert "feature service retrieval is gone" in verdict.sentence
    assert "ranking has schema cc, the bundle was made of bb" in verdict.sentence


def test_one_slate_in_two_hundred_is_one_too_many_and_the_offender_is_kept() -> None:
    offender = Offender(surface="home_feed", user="u7", item=None, faults=("unscored item: 3 of 10 items",))
    found = SlateValidity(requests=200, invalid=1, raised=0, kinds={"unscored item": 1}, offenders=(offender,))
    verdict = GATES["slate_validity"](found, BOUNDS)
    assert not verdict.passed
    assert "0.995, 0.005 below the bound of 1" in verdict.sentence
    assert "unscored item: 1" in verdict.sentence
    assert verdict.evidence["offenders"][0]["user"] == "u7"


QUICK = Latency(
    p50_ms=5.0,
    p99_ms=9.0,
    production_p50_ms=5.0,
    production_p99_ms=9.0,
    ratio=1.0,
    requests=100,
    rounds=3,
    timeout_ms=150.0,
)


def test_four_hundred_milliseconds_more_fail_by_the_time_and_by_the_ratio() -> None:
    assert GATES["latency"](QUICK, BOUNDS).passed
    verdict = GATES["latency"](replace(QUICK, p50_ms=405.0, p99_ms=409.0, ratio=80.0), BOUNDS)
    assert not verdict.passed
    assert "409 ms, 334 ms above the bound of 75 ms" in verdict.sentence
    assert "80, 78.5 above the bound of 1.5" in verdict.sentence


def test_memory_may_grow_by_the_ratio_and_the_slack_and_not_above_the_budget() -> None:
    tight = GatesSettings(memory_mib=1_000, max_memory_ratio=1.5, memory_tolerance_mib=10)

    def passed(mine: float | None, theirs: float | None) -> bool:
        return GATES["memory"](Memory(candidate_mib=mine, production_mib=theirs), tight).passed

    assert passed(160, 100)
    assert not passed(161, 100)
    assert passed(1_000, None)
    assert not passed(1_001, None)
    assert not passed(None, None)


def test_an_objective_without_calibration_fails() -> None:
    assert not GATES["calibration"](Calibration(objectives=()), BOUNDS).passed


def test_failures_that_another_moment_may_not_have_are_named() -> None:
    quick = Latency(
        p50_ms=4,
        p99_ms=5,
        production_p50_ms=None,
        production_p99_ms=None,
        ratio=None,
        requests=10,
        rounds=1,
        timeout_ms=150,
    )
    measured = [
        GATES["loads"](LoadResult(code=None, seconds=61), BOUNDS),
        GATES["latency"](replace(quick, p99_ms=5_000), BOUNDS),
        GATES["memory"](Memory(candidate_mib=1e6, production_mib=None), BOUNDS),
    ]
    for verdict in measured:
        assert report_of(verdict).momentary == (verdict.gate,)
    assert report_of(GATES["loads"](LoadResult(code=-9, seconds=1), BOUNDS)).momentary == ("loads",)
    assert report_of(GATES["loads"](LoadResult(code=1, seconds=1), BOUNDS)).momentary == ()
    assert report_of(GATES["latency"](quick, BOUNDS)).momentary == ()


def report_of(verdict: GateVerdict) -> GateReport:
    return GateReport(
        candidate="a",
        production=None,
        version="v",
        lake="l",
        created_at=datetime(2024, 1, 1, tzinfo=UTC),
        seconds=1,
        verdicts=(verdict,),
    )
