"""A bundle that names the package's components says, where they are not installed, what to install."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.datasets.worlds import settings_for
from tests.extensions.packages import PLUGIN_NAME, PLUGIN_VERSION, on_the_path
from tests.registry.releases import LINEAGE

from remora.core.errors import Refused
from remora.extensions import choices
from remora.registry.lineage import BuiltWith, Lineage
from remora.settings import BundleSettings, Settings
from remora.settings.bundle import FILE
from remora.steps import Step
from remora.steps.path import MODELS, RETRIEVAL
from remora.wiring.bundle_packages import packages_of


def lineage_of(settings: Settings) -> Lineage:
    found = [choice.component for choice in choices(BundleSettings.of(settings))]
    named = [BuiltWith(kind=c.kind.name, name=c.name, package=c.distribution, version=c.version) for c in found]
    return LINEAGE.model_copy(update={"components": tuple(named)})


@pytest.mark.parametrize(
    ("component", "changes"),
    [
        ("retrieval model 'weekday_popularity'", {"retrieval": {"models": {"weekday_popularity": {}}}}),
        ("history encoder 'gru'", {"retrieval": {"history_encoder": {"type": "gru", "units": 24}}}),
        ("loss 'bpr_max'", {"retrieval": {"loss": {"type": "bpr_max", "regularization": 0.1}}}),
        ("source 'popular_on_weekday'", {"surfaces": {"home_feed": {"sources": {"popular_on_weekday": {}}}}}),
        ("hydrator 'cart_items'", {"surfaces": {"home_feed": {"hydrators": {"cart_items": {}}}}}),
        ("filter 'price_limit'", {"surfaces": {"home_feed": {"filters": {"price_limit": {}}}}}),
        ("surface 'today'", {"surfaces": {"today": {"pipeline": "today"}}}),
        ("transform 'user_weekend'", {"features": {"transforms": {"user_weekend": {}}}}),
        ("ranking model 'lightgbm'", {"ranking": {"models": {"boosted": {"type": "lightgbm"}}}}),
    ],
)
def test_without_the_package_it_is_refused_and_the_package_is_named(
    plugin_site: Path, component: str, changes: dict[str, Any]
) -> None:
    plain = settings_for(Path("/nowhere"))
    with on_the_path(plugin_site):
        settings = settings_for(Path("/nowhere"), **changes)
        content, lineage = BundleSettings.of(settings).model_dump_json().encode(), lineage_of(settings)
        built = BundleSettings.parse(content, FILE).over(plain, packages_of(lineage))
        assert BundleSettings.of(built) == BundleSettings.of(settings)
    with pytest.raises(Refused, match=f"names the {component}.*Install {PLUGIN_NAME} {PLUGIN_VERSION}, or name it"):
        BundleSettings.parse(content, FILE).over(plain, packages_of(lineage))


@pytest.mark.usefixtures("plugin")
@pytest.mark.parametrize(
    ("step", "changes"),
    [
        (RETRIEVAL, {"history_encoder": "gru"}),
        (RETRIEVAL, {"loss": "bpr_max"}),
        (MODELS, {"models": {"taste": {"type": "sequential", "encoder": "gru"}}}),
        (MODELS, {"models": {"factors": {"type": "matrix_factorization", "loss": "bpr_max"}}}),
    ],
)
def test_what_is_trained_with_it_follows_its_version(step: Step, changes: dict[str, Any]) -> None:
    settings = settings_for(Path("/nowhere"), retrieval=changes)
    assert step.provenance(settings, {}).code[PLUGIN_NAME] == PLUGIN_VERSION
    assert PLUGIN_NAME not in step.provenance(settings_for(Path("/nowhere")), {}).code
