"""Transforms in settings: written over Remora's own, read again as they were written, and refused with a reason."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError
from tests.datasets.worlds import settings_for

from remora.settings import BundleSettings, FeatureSettings
from remora.settings.bundle import FILE

HOURS = "tests.features.own_transforms:Hours"


class Nowhere:
    """A transform that does not say whom its view is about."""

    @classmethod
    def applies(cls, config: Any, context: Any) -> bool:
        return True

    @classmethod
    def transform(cls, config: Any, events: Any, context: Any) -> Any:
        return events


def features(**transforms: Any) -> FeatureSettings:
    return FeatureSettings.model_validate({"transforms": transforms})


def test_a_view_is_put_beside_those_that_are_there_and_null_takes_one_away() -> None:
    found = features(user_hours={"type": HOURS, "late_from": 20}, user_affinity=None)
    assert list(found.views) == ["user_activity", "user_history", "item_activity", "user_hours"]
    assert FeatureSettings.model_validate(found.model_dump()) == found
    assert found.model_dump()["transforms"]["user_hours"] == {"type": HOURS, "late_from": 20}


def test_settings_of_a_view_are_put_over_its_own() -> None:
    config = features(user_affinity={"categories": 7}).views["user_affinity"].config
    assert config.model_dump() == {"categories": 7}


@pytest.mark.parametrize(
    ("transforms", "says"),
    [
        ({"user_history": None}, "user_history cannot be taken away: requests read the user's history"),
        ({"item_activity": None}, "item_activity cannot be taken away: popularity, trend and age of items are read"),
        ({"user_activity": None}, "user_activity cannot be taken away: what depends on a user and an item together"),
        ({"user_history": HOURS}, "user_history cannot be made by .*Hours: replay makes the same history"),
        ({"user__mood": HOURS}, "'user__mood' is no name of a view: .* '__' separates the view from the feature"),
        ({"Mood": HOURS}, "'Mood' is no name of a view"),
        ({"user_profile": HOURS}, "user_profile is what Remora calls columns of its own"),
        ({"mood": {"type": HOURS, "late_from": 24}}, "late_from"),
        ({"mood": f"{__name__}:Nowhere"}, "mood: .*Nowhere.entity is None; it is one of user, item"),
        ({"mood": {}}, "The transform 'mood' cannot be used: none is registered"),
    ],
)
def test_what_cannot_be_a_view_says_why(transforms: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        features(**transforms)


def test_a_bundle_notes_the_transforms_that_its_features_were_made_by() -> None:
    settings = settings_for("home")
    features = settings.features.model_copy(
        update={"transforms": {**settings.features.transforms, "user_affinity": None}}
    )
    bundled = BundleSettings.of(settings.model_copy(update={"features": features}))
    assert "user_affinity" not in bundled.features.views
    read = BundleSettings.parse(json.dumps(bundled.model_dump(mode="json")).encode(), FILE)
    assert "user_affinity" not in read.over(settings).features.views
