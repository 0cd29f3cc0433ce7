"""A search space is checked when the settings are read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.datasets.worlds import settings_for

from remora.settings import Settings
from remora.settings.tuning import Choice, Range
from remora.tuning.report import shown
from remora.tuning.search import as_domain


def tuning(**spaces: Any) -> Settings:
    return settings_for(Path("/nowhere"), tuning={"retrieval": spaces})


@pytest.mark.parametrize(
    ("space", "said"),
    [
        ({"speed": {"choices": [1]}}, "'speed', which retrieval does not have"),
        ({"learning_rate": {"low": 0.1, "high": 0.1}}, r"low 0\.1 is not below high 0\.1"),
        ({"learning_rate": {"low": 0.0, "high": 0.1, "log": True}}, "begins above 0"),
        ({"dimension": {"choices": []}}, "at least 1 item"),
        ({"history_encoder": {"choices": ["memory"]}}, "tuning.retrieval.history_encoder offers 'memory'"),
        (
            {"history_encoder": {"choices": [{"type": "ligr", "layers": 0}]}},
            "history_encoder offers .*ligr.* ligr: layers",
        ),
        ({"loss": {"choices": ["gbce", {"type": "gbce", "calibration": 2}]}}, "loss offers .*gbce: calibration"),
        ({"id_dropout": {"low": -0.5, "high": 0.5, "high_": 1}}, "high_"),
        ({"uniform_negatives": {"low": -5, "high": 10}}, "uniform_negatives offers -5"),
    ],
)
def test_a_space_that_no_setting_could_take_says_which_and_why(space: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        tuning(**space)


@pytest.mark.parametrize(
    ("spaces", "said"),
    [
        ({"network": {"experts": {"choices": [2]}}}, "tuning.ranking has 'network', and ranking.models has: trees"),
        ({"trees": {"speed": {"choices": [1]}}}, "tuning.ranking.trees has 'speed', which ranking.trees does not have"),
        ({"trees": {"max_depth": {"low": 0, "high": 4}}}, "tuning.ranking.trees.max_depth offers"),
        ({"trees": {}}, "at least 1 item"),
    ],
)
def test_a_space_is_of_a_model_that_is_there(spaces: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        settings_for(Path("/nowhere"), tuning={"ranking": spaces})


def test_the_default_space_is_one_that_the_settings_allow() -> None:
    default = settings_for(Path("/nowhere"))
    assert "learning_rate" in default.tuning.retrieval
    assert Settings.model_validate(default.model_dump()) == default


@given(st.floats(1e-6, 1e3), st.floats(1.01, 100.0), st.booleans())
def test_draws_stay_within_their_range(low: float, factor: float, log: bool) -> None:
    space = Range(low=low, high=low * factor, log=log)
    domain = as_domain(space, whole=False)
    assert all(low <= domain.sample() <= low * factor * (1 + 1e-9) for _ in range(20))


@given(st.integers(1, 50), st.integers(1, 50), st.booleans())
def test_whole_fields_get_whole_numbers_both_ends_among_them(low: int, more: int, log: bool) -> None:
    domain = as_domain(Range(low=low, high=low + more, log=log), whole=True)
    drawn = {domain.sample() for _ in range(30)}
    assert all(isinstance(int(one), int) and low <= one <= low + more for one in drawn)


def test_a_list_gives_its_values() -> None:
    domain = as_domain(Choice(choices=("a", 2)), whole=False)
    assert {domain.sample() for _ in range(40)} == {"a", 2}


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("ligr", "ligr"),
        ({"type": "ligr"}, "ligr"),
        ({"type": "ligr", "layers": 1, "dropout": 0.123456}, "ligr (layers 1, dropout 0.123)"),
        (0.123456, "0.123"),
        (7, "7"),
    ],
)
def test_what_is_tried_is_shown_for_a_person(value: Any, said: str) -> None:
    assert shown(value) == said
