"""A bundle that is as good passes; one with a planted defect is stopped by the gate that is meant for it, and named."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.release.gates import planting
from tests.release.gates.planting import LoadedOnce, Ticking, live_with

from remora.ingest.lake import Lake
from remora.ranking.ranker import Ranker
from remora.registry.bundle import Bundle
from remora.release.gates.evidence.bundle_under_test import BundleUnderTest
from remora.release.gates.evidence.requests import hydrated, sample_requests
from remora.release.gates.runner import GateResults, measure
from remora.release.gates.table import GATES
from remora.settings import Settings


@pytest.fixture(scope="module")
def good(settings: Settings, production: Bundle) -> Bundle:
    return planting.as_good(settings, production)


once = LoadedOnce()
"""Each bundle is loaded in a fresh process by the first test that needs it."""


def found(settings: Settings, lake: Lake, candidate: Bundle, production: Bundle | None, **live: Any) -> GateResults:
    return measure(settings, lake, candidate, production, **{"clock": Ticking(), "start_loading": once, **live})


def failed(findings: GateResults) -> dict[str, str]:
    return {verdict.gate: verdict.sentence for verdict in findings.verdicts if not verdict.passed}


def test_a_bundle_that_is_as_good_passes_every_gate(
    settings: Settings, lake: Lake, good: Bundle, production: Bundle
) -> None:
    findings = found(settings, lake, good, production)
    assert failed(findings) == {}
    assert {verdict.gate for verdict in findings.verdicts} == set(GATES)
    assert (findings.not_run, findings.remarks) == ({}, [])


def test_the_first_bundle_of_all_is_held_to_absolute_bounds(settings: Settings, lake: Lake, good: Bundle) -> None:
    findings = found(settings, lake, good, None)
    assert failed(findings) == {}
    assert all(
        "no production to compare with" in verdict.sentence
        for verdict in findings.verdicts
        if verdict.gate in ("offline", "coverage", "calibration", "latency", "memory")
    )


def test_reversed_scores_fail_offline(settings: Settings, lake: Lake, production: Bundle) -> None:
    planted = planting.reversed_scores(settings, production)
    findings = found(settings, lake, planted, production)
    assert "offline" in failed(findings)
    # The worst items are the same few for all users, so the catalogue is covered less: that is true of it as well.
    assert set(failed(findings)) <= {"offline", "coverage"}
    compared = next(v for v in findings.verdicts if v.gate == "offline").evidence["compared"][0]
    assert compared["high"] < 0
    assert compared["candidate"] < compared["production"] / 2


def test_four_hundred_milliseconds_more_fail_latency(
    settings: Settings, lake: Lake, good: Bundle, production: Bundle
) -> None:
    clock = Ticking()

    def slow(ranker: Ranker) -> Ranker:
        return planting.Slow(spec=ranker.spec, models=ranker.models, clock=clock)

    findings = found(settings, lake, good, production, load_bundle=live_with(good, slow), clock=clock)
    assert set(failed(findings)) == {"latency"}
    assert "401 ms, 326 ms above the bound of 75 ms" in failed(findings)["latency"]


def test_an_index_of_another_version_fails_index_recall(settings: Settings, lake: Lake, production: Bundle) -> None:
    findings = found(settings, lake, planting.other_index(settings, production), production)
    assert "index_recall" in failed(findings)
    assert set(failed(findings)) <= {"index_recall", "offline"}  # what is found at random may be missed by the ranker


def test_two_requests_in_a_hundred_without_scores_fail_slate_validity(
    settings: Settings, lake: Lake, good: Bundle, production: Bundle
) -> None:
    loaded = BundleUnderTest.load(good, settings)
    asked = [one.query for one in hydrated(loaded, sample_requests(settings, [loaded]))]
    known = [one for one in asked if one.surface == settings.ranking.surface and len(one.history) > 3]
    history = known[0].history
    share = sum(np.array_equal(one.history, history) for one in known) / len(asked)
    assert 0 < share <= 0.03

    def forgetful(ranker: Ranker) -> Ranker:
        return planting.Forgetful(spec=ranker.spec, models=ranker.models, of=history)

    findings = found(settings, lake, good, production, load_bundle=live_with(good, forgetful))
    assert set(failed(findings)) == {"slate_validity"}
    assert "unscored item: 1" in failed(findings)["slate_validity"]
    evidence = next(v for v in findings.verdicts if v.gate == "slate_validity").evidence
    assert evidence["offenders"][0]["user"] == known[0].user_id


def test_features_of_another_schema_fail_parity_and_are_not_replayed(
    settings: Settings, lake: Lake, production: Bundle
) -> None:
    findings = found(settings, lake, planting.other_schema(settings, production), production)
    assert set(failed(findings)) == {"parity"}
    assert "feature service ranking_v0 is gone" in failed(findings)["parity"]
    assert "feature service ranking has schema" in failed(findings)["parity"]
    assert set(findings.not_run) == {"offline", "coverage"}


def test_production_of_another_schema_is_not_replayed_and_that_is_said(
    settings: Settings, lake: Lake, good: Bundle, production: Bundle
) -> None:
    findings = found(settings, lake, good, planting.other_schema(settings, production))
    assert failed(findings) == {}
    assert "another schema" in findings.remarks[0]


def test_a_bundle_that_crashes_is_loaded_once_and_nothing_more_is_asked(
    settings: Settings, lake: Lake, production: Bundle
) -> None:
    findings = found(settings, lake, planting.that_crashes(settings, production), production)
    assert set(failed(findings)) == {"loads"}
    assert "exit code 1" in failed(findings)["loads"]
    assert [verdict.gate for verdict in findings.verdicts] == ["loads"]
    assert set(findings.not_run) == set(GATES) - {"loads"}


def test_production_that_crashes_keeps_no_candidate_out(settings: Settings, lake: Lake, good: Bundle) -> None:
    findings = found(settings, lake, good, planting.that_crashes(settings, good))
    assert failed(findings) == {}
    assert "does not load" in findings.remarks[0]


def test_a_bug_fails_slate_validity_and_is_not_replayed(
    settings: Settings, lake: Lake, good: Bundle, production: Bundle
) -> None:
    def broken(ranker: Ranker) -> Ranker:
        return planting.Broken(spec=ranker.spec, models=ranker.models)

    findings = found(settings, lake, good, production, load_bundle=live_with(good, broken))
    assert set(failed(findings)) == {"slate_validity"}
    assert "KeyError" in str(findings.verdicts)
    assert set(findings.not_run) == {"offline", "coverage", "latency"}
