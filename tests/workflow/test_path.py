"""What carries the declared steps out."""

from __future__ import annotations

import pytest
from pydantic import BaseModel

from remora.core.artifacts import Artifact
from remora.core.errors import NotFound
from remora.core.home import Home
from remora.settings import Settings
from remora.steps import Step
from remora.steps.path import (
    ABLATE,
    COLD_START,
    EVALUATE,
    RANKING,
    RUN,
    SLATES,
    STEPS,
    TUNE_RANKING,
    steps_of_run,
)
from remora.workflow import path


def test_every_declared_step_can_be_carried_out(scheduled: Settings) -> None:
    assert path.FUNCTIONS.keys() == {step.name for step in STEPS}
    assert [step.step for step in path.steps(scheduled)] == list(steps_of_run(scheduled))
    for step in RUN:
        assert path.step_named(step.name.replace(" ", "-")).step is step


def test_a_step_that_does_not_exist_says_which_do() -> None:
    with pytest.raises(NotFound, match=r"train-retrival.*There are: .*train-retrieval, train-models, ranking-rows"):
        path.step_named("train-retrival")


def test_options_of_a_step_reach_its_function() -> None:
    step = path.step_named("tune-ranking", model="network", name="mine")
    assert step.run.keywords == {"model": "network", "name": "mine"}  # type: ignore[attr-defined]


def test_what_a_step_gave_is_said_without_its_files() -> None:
    class Found(BaseModel):
        rows: int

    made = Artifact(
        Home("/nowhere"), "lake", "a", {"version": "a", "files": {}, "provenance": {}, "checksum": "", "n": 1}
    )
    assert path.described(made) == {"artifact": "lake", "version": "a", "n": 1}
    assert path.described(Found(rows=2)) == {"result": {"rows": 2}}
    assert path.described({"users": 3}) == {"result": {"users": 3}}


@pytest.mark.parametrize(
    ("outer", "inner"),
    [(EVALUATE, COLD_START), (ABLATE, RANKING), (ABLATE, SLATES), (TUNE_RANKING, SLATES)],
    ids=lambda step: step.name,
)
def test_a_step_within_a_step_is_named_alike_by_the_settings_that_it_is_given(
    outer: Step, inner: Step, scheduled: Settings
) -> None:
    assert inner.provenance(outer.view(scheduled), {}) == inner.provenance(scheduled, {})
    assert inner.view(outer.view(scheduled)) == inner.view(scheduled)
