"""Settings by dotted paths: what there is, their values, and a view that has them and no others."""

from __future__ import annotations

import json
import pickle
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.settings.test_bounds import NEEDED

from remora.core.section import UndeclaredSetting
from remora.settings import Settings
from remora.steps.setting_paths import check, tree_of, values, view

SETTINGS = Settings.model_validate(NEEDED["Settings"])
NAMES = [*Settings.model_fields, "retrieval.epochs", "ranking.models", "data.event_types.*.sign"]
PATHS = st.lists(st.sampled_from(NAMES))


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("retrieval.lerning_rate", "retrieval has no lerning_rate; it has: dimension, "),
        ("nothing", "the settings has no nothing; it has: name, "),
        ("data.event_types.sign", r"names of the user's own: write data\.event_types\.\*"),
        ("retrieval.epochs.most", r"retrieval\.epochs is a single value"),
        ("surfaces.home_feed.hide_seen", r"names of the user's own: write surfaces\.\*"),
        ("ranked_surface.scorer.type", "is a single value"),
        ("ranked_surface.colour", r"ranked_surface has no colour"),
        ("objectives.*.colour", r"objectives\.\* has no colour"),
    ],
)
def test_a_path_that_no_settings_have_says_what_there_is(path: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check(path)


@pytest.mark.parametrize(
    "path", ["split", "retrieval.epochs", "data.event_types.*.sign", "objectives.*.label", "data", "trained_models"]
)
def test_a_path_of_the_settings_is_accepted(path: str) -> None:
    check(path)


def test_models_that_are_trained_are_apart_from_those_that_are_not() -> None:
    models = {"taste": {"type": "sequential", "epochs": 3}, "factors": "matrix_factorization"}
    mixed = Settings.model_validate(NEEDED["Settings"] | {"retrieval": {"models": models}})
    found = values(mixed, ("trained_models",))
    assert {path.split(".")[1] for path in found} == {"taste", "factors"}
    assert found["trained_models.taste.epochs"] == 3
    assert values(SETTINGS, ("trained_models",)) == {"trained_models": {}}
    for beside in ((), ("retrieval.workers",)):
        seen = view(mixed, ("trained_models", *beside))
        assert list(seen.retrieval.models) == ["taste", "factors"]
        assert values(seen, ("trained_models",)) == found
        with pytest.raises(UndeclaredSetting, match="epochs"):
            _ = seen.retrieval.epochs
    assert list(view(mixed, ("trained_models", "retrieval.models")).retrieval.models) == list(mixed.retrieval.models)


def test_values_are_named_by_their_paths_and_a_section_has_all_of_its_own() -> None:
    assert values(SETTINGS, ("split.ranking", "data.event_types.*.sign")) == {
        "split.ranking": 0.15,
        "data.event_types.buy.sign": 1,
    }
    assert values(SETTINGS, ("split",)).keys() == {"split.retrieval", "split.ranking", "split.validation"}
    assert values(SETTINGS, ("objectives.*.weight",)) == {"objectives.buy.weight": 1.0}
    assert values(SETTINGS, ("split", "split.ranking")) == values(SETTINGS, ("split",))


@given(PATHS)
def test_a_view_has_the_values_of_its_paths_and_can_be_sent_to_another_process(paths: list[str]) -> None:
    if not paths:
        return
    seen = pickle.loads(pickle.dumps(view(SETTINGS, paths)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert values(seen, paths) == values(SETTINGS, paths)
        json.dumps(seen.model_dump(mode="json"))
    assert view(seen, paths) == seen


@given(PATHS, st.sampled_from(sorted(Settings.model_fields)))
def test_a_view_refuses_every_section_that_no_path_names(paths: list[str], section: str) -> None:
    if paths and section not in {path.split(".")[0] for path in paths}:
        with pytest.raises(UndeclaredSetting, match=section):
            getattr(view(SETTINGS, paths), section)


def test_a_view_refuses_single_settings_also_where_a_default_is_offered() -> None:
    seen = view(SETTINGS, ("retrieval.epochs", "objectives.*.events"))
    assert seen.retrieval.epochs == SETTINGS.retrieval.epochs
    for name in ("dimension", "models"):
        with pytest.raises(UndeclaredSetting, match=f"RetrievalSettings.{name} is read by a step that does not"):
            getattr(seen.retrieval, name, None)
    assert seen.objectives["buy"].events == ("buy",)
    with pytest.raises(UndeclaredSetting, match="weight"):
        _ = seen.objectives["buy"].weight
    with pytest.raises(UndeclaredSetting):
        values(seen, ("retrieval.dimension",))


def test_the_ranked_surface_is_read_by_its_own_name_and_by_what_it_is() -> None:
    assert values(SETTINGS, ("ranked_surface.hide_seen",)) == {"ranked_surface.hide_seen": True}
    seen = view(SETTINGS, ("ranked_surface.hide_seen", "ranking.models"))
    assert seen.ranked_surface.hide_seen
    assert seen.ranking.models == SETTINGS.ranking.models
    assert seen.surfaces.names == ("home_feed",)
    with pytest.raises(UndeclaredSetting, match="sources"):
        _ = seen.ranked_surface.sources
    whole = view(SETTINGS, ("ranked_surface.hide_seen", "surfaces.*.sources", "objectives"))
    assert whole.surfaces.names == SETTINGS.surfaces.names
    assert list(whole.objectives) == list(SETTINGS.objectives)


def test_a_section_takes_in_what_is_named_below_it() -> None:
    assert tree_of(("a.b", "a", "c.d", "c.e")) == {"a": {}, "c": {"d": {}, "e": {}}}
