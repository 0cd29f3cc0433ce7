"""Objectives are checked when the settings are read, and there is a table where none was written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.datasets.worlds import settings_for

from remora.settings import EventTypeSettings
from remora.settings.ranking import by_weight


@pytest.mark.parametrize(
    ("ranking", "said"),
    [
        ({"objectives": {"liked": {"events": ["love"]}}}, "event type 'love' is not declared; event_types has: like"),
        ({"objectives": {"Liked": {"events": ["like"]}}}, "objective 'Liked': use small letters"),
        ({"objectives": {"a__b": {"events": ["like"]}}}, "single '_' between words"),
        ({"objectives": {"liked": {"events": []}}}, "at least 1 item"),
        ({"objectives": {"liked": {"events": ["like"], "weight": 0.0}}}, "no objective has a weight above 0"),
        ({"objectives": {"liked": {"events": ["like"], "weight": -1.0}}}, "greater than or equal to 0"),
        (
            {"objectives": {"worth": {"events": ["like"], "label": "value", "calibration": "platt"}}},
            "has none: isotonic",
        ),
        ({"models": {"trees": None}}, "every ranking model is taken away: leave one"),
        ({"models": {"Trees": "trees"}}, "'Trees' is no name of a model"),
        ({"models": {"blend": "trees"}}, "blend is what all models together are called"),
        ({"models": {"forest": {}}}, "ranking model 'forest' cannot be used: none is registered"),
        ({"models": {"trees": {"monotone_constraints": {"candidate__place": 0}}}}, "monotone"),
        ({"models": {"trees": {"position_debiasing": True}}}, "ranking.models.trees: position_debiasing needs"),
    ],
)
def test_a_table_that_cannot_be_says_why(ranking: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        settings_for(Path("/nowhere"), ranking=ranking)


def test_without_a_table_each_weight_of_a_positive_event_is_an_objective() -> None:
    found = settings_for(Path("/nowhere")).objectives
    assert {name: (o.events, o.weight) for name, o in found.items()} == {
        "like_or_view": (("like", "view"), 0.5),
        "like": (("like",), 0.5),
    }
    values = {"bought": {"events": ["like"], "label": "value"}}
    chosen = settings_for(Path("/nowhere"), ranking={"objectives": values}).objectives
    assert chosen["bought"].calibrated_by == "isotonic"


@given(st.dictionaries(st.text("abc ÄÖ", min_size=1, max_size=4), st.sampled_from([0.0, 0.5, 1.0, 3.0]), min_size=1))
def test_the_sum_of_what_happened_is_the_largest_weight(weights: dict[str, float]) -> None:
    types = {name: EventTypeSettings(weight=weight) for name, weight in weights.items()}
    objectives = by_weight(types)
    for name, weight in weights.items():
        assert sum(o.weight for o in objectives.values() if name in o.events) == pytest.approx(weight)
