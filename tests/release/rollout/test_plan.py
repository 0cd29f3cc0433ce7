from __future__ import annotations

import pickle
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remora.core.errors import Refused
from remora.release.rollout.plan import LONGEST_SECONDS, Plan, PlanRefused, RolloutStep, StepKind

SECONDS = st.integers(1, LONGEST_SECONDS) | st.sampled_from([60, 90, 3_600, 5_400, 86_400])
PERCENTS = st.decimals("0.0001", "99.9999", places=4)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    percents = sorted(draw(st.sets(PERCENTS, max_size=6)))
    canaries = draw(st.integers(0, len(percents)))
    steps = [RolloutStep(kind=StepKind.SHADOW, seconds=draw(SECONDS))] if draw(st.booleans()) else []
    for place, percent in enumerate(percents):
        kind = StepKind.CANARY if place < canaries else StepKind.RAMP
        steps.append(RolloutStep(kind=kind, percent=percent, seconds=draw(SECONDS)))
    return Plan((*steps, RolloutStep(kind=StepKind.FULL)))


@given(plans())
def test_a_plan_that_is_printed_is_parsed_again(plan: Plan) -> None:
    assert Plan.parse(str(plan)) == plan


@given(plans())
def test_shares_grow_to_all(plan: Plan) -> None:
    shares = [step.share for step in plan.steps]
    assert all(a < b for a, b in pairwise(shares))
    assert shares[-1] == 1.0


@given(st.text("shadowcnryampful:%,0159.mhd -", max_size=40))
def test_whatever_else_is_written_is_refused_or_a_plan(text: str) -> None:
    try:
        plan = Plan.parse(text)
    except PlanRefused:
        return
    assert Plan.parse(str(plan)) == plan


def test_the_plan_of_the_manual() -> None:
    text = "shadow:10m,canary:5%:30m,ramp:25%:1h,full"
    plan = Plan.parse(text)
    assert [step.seconds for step in plan.steps] == [600, 1_800, 3_600, 0]
    assert plan.steps[1].percent == Decimal(5)
    assert str(plan) == text
    assert str(Plan.parse("canary:0.50%:90s, ramp:10.0%:120m,full")) == "canary:0.5%:90s,ramp:10%:2h,full"


@pytest.mark.parametrize(
    ("text", "place", "why"),
    [
        ("", 1, "a step is missing"),
        ("full,", 6, "a step is missing"),
        ("shadow:10m,canery:5%:30m,full", 12, "'canery' is no step"),
        ("canary:5:30m,full", 8, "'5' is no share"),
        ("canary:0%:30m,full", 8, "no user"),
        ("canary:100%:30m,full", 8, "'100%' is no share"),
        ("canary:5%,full", 7, "canary takes a share and a duration, not 1 values"),
        ("canary:5%:30,full", 11, "'30' is no duration"),
        ("shadow:0m,full", 8, "not above 0"),
        ("shadow:91d,full", 8, "at most 90d"),
        ("shadow:5%:10m,full", 7, "shadow takes a duration, not 2 values"),
        ("full:1h", 5, "full takes nothing, not 1 values"),
        ("canary:5%:1h,shadow:1m,full", 14, "cannot come after canary"),
        ("shadow:1m,shadow:1m,full", 11, "cannot come after shadow"),
        ("ramp:5%:1h,canary:10%:1h,full", 12, "cannot come after ramp"),
        ("canary:5%:1h,ramp:5%:1h,full", 14, "not larger than"),
        ("full,canary:5%:1h", 6, "comes after full"),
        ("shadow:10m", 11, "does not end with full"),
    ],
)
def test_what_is_wrong_is_said_with_its_place_and_what_is_allowed(text: str, place: int, why: str) -> None:
    with pytest.raises(PlanRefused) as refused:
        Plan.parse(text)
    said = str(refused.value)
    assert f"character {place}:" in said
    assert why in said
    assert "Allowed: shadow:DURATION" in said


def test_a_refusal_crosses_processes() -> None:
    refused = pickle.loads(pickle.dumps(PlanRefused("x", 0, "'x' is no step")))
    assert isinstance(refused, Refused)
    assert "character 1" in str(refused)
