"""A bundle imports nothing on its own account: a component of it is registered here, or the operator names it."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.extensions.packages import install, on_the_path
from tests.registry import releases

from remora.core.errors import Refused
from remora.extensions import UnresolvedConfig
from remora.registry.lineage import BuiltWith
from remora.settings import BundleSettings, Settings
from remora.settings.bundle import FILE
from remora.wiring.bundle_packages import packages_of

MODULE = """
    from pathlib import Path
    from pydantic import Field
    from remora.extensions import ComponentConfig

    Path(__file__).with_name("was_imported").touch()

    class Model:
        class Config(ComponentConfig):
            ridge: float = Field(1.0, gt=0)

        @classmethod
        def learn(cls, histories, config): ...

        @classmethod
        def step_decay(cls, config):
            return 0.5
"""
BY_PATH = {"type": "shop_linear:Model", "ridge": 2.0}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where the module lies; it leaves a file when it is imported."""
    monkeypatch.delitem(sys.modules, "shop_linear", raising=False)
    install(tmp_path, "my-shop", version="2.3", modules={"shop_linear": MODULE}, groups={"remora.tests": {}})
    with on_the_path(tmp_path):
        yield tmp_path


def bundled(settings: Settings, linear_model: Any) -> bytes:
    """A bundle's settings with this linear model."""
    written = BundleSettings.of(settings).model_dump(mode="json")
    written["retrieval"]["models"]["linear"] = {"type": "linear", "model": linear_model}
    return json.dumps(written).encode()


def linear_model_of(settings: BundleSettings | Settings) -> Any:
    """The component within the settings of another: what a bundle may import is looked at however deep it stands."""
    return settings.retrieval.learned["linear"].config.model  # type: ignore[attr-defined]


def naming(settings: Settings, linear_model: Any) -> Settings:
    """The operator's settings with this linear model."""
    values = settings.model_dump()
    values["retrieval"]["models"]["linear"] = {"type": "linear", "model": linear_model}
    return Settings.model_validate(values)


def test_a_class_that_a_bundle_names_is_not_imported_and_the_refusal_says_what_to_do(
    settings: Settings, folder: Path
) -> None:
    found = BundleSettings.parse(bundled(settings, BY_PATH), FILE)
    assert isinstance(linear_model_of(found).config, UnresolvedConfig)
    assert json.loads(found.model_dump_json())["retrieval"]["models"]["linear"]["model"] == BY_PATH
    with pytest.raises(Refused, match=r"linear model 'shop_linear:Model'.*Install my-shop 2.3, or name it"):
        found.over(settings, {"shop_linear:Model": "my-shop 2.3"})
    assert not (folder / "was_imported").exists()


def test_a_transform_that_a_bundle_names_is_not_imported_either(settings: Settings, folder: Path) -> None:
    written = BundleSettings.of(settings).model_dump(mode="json")
    written["features"]["transforms"]["user_mood"] = "shop_linear:Model"
    found = BundleSettings.parse(json.dumps(written).encode(), FILE)
    with pytest.raises(Refused, match=r"names the transform 'shop_linear:Model', which no installed package registers"):
        found.over(settings)
    assert not (folder / "was_imported").exists()


@pytest.mark.usefixtures("folder")
def test_what_the_operators_settings_name_too_is_used_with_what_the_bundle_sets(settings: Settings) -> None:
    operators = naming(settings, {"type": "shop_linear:Model", "ridge": 9.0})
    found = BundleSettings.parse(bundled(settings, BY_PATH), FILE).over(operators)
    assert linear_model_of(found).config.ridge == 2.0  # type: ignore[attr-defined]


OUTER = """
    from remora.extensions import ComponentConfig
    from remora.retrieval.models.linear import LinearLists
    from remora.settings.components import LinearModelChoice

    class Lists(LinearLists):
        class Config(LinearLists.Config):
            pass
"""


def test_what_a_component_of_the_operators_names_in_a_bundle_is_not_imported_either(
    settings: Settings, folder: Path, tmp_path: Path
) -> None:
    install(tmp_path, "outer", modules={"outer_lists": OUTER}, groups={"remora.tests": {}})
    values = settings.model_dump()
    values["retrieval"]["models"]["linear"] = {"type": "outer_lists:Lists"}
    operators = Settings.model_validate(values)
    written = BundleSettings.of(operators).model_dump(mode="json")
    written["retrieval"]["models"]["linear"]["model"] = BY_PATH
    found = BundleSettings.parse(json.dumps(written).encode(), FILE)
    with pytest.raises(Refused, match=r"linear model 'shop_linear:Model'"):
        found.over(operators)
    assert not (folder / "was_imported").exists()


@pytest.mark.usefixtures("folder")
def test_what_the_bundle_sets_of_it_has_the_bounds_of_the_component(settings: Settings) -> None:
    operators = naming(settings, "shop_linear:Model")
    with pytest.raises(Refused, match="ridge"):
        BundleSettings.parse(bundled(settings, BY_PATH | {"ridge": -1}), FILE).over(operators)


def test_a_registered_component_is_resolved_at_once(settings: Settings) -> None:
    with pytest.raises(Refused, match=r"ease: ridge"):
        BundleSettings.parse(bundled(settings, {"type": "ease", "ridge": -1}), FILE)
    found = BundleSettings.parse(bundled(settings, "ease"), FILE).over(settings)
    assert linear_model_of(found).type == "ease"


def test_a_component_that_is_not_installed_names_the_package_to_install(settings: Settings) -> None:
    found = BundleSettings.parse(bundled(settings, {"type": "theirs", "depth": 3}), FILE)
    with pytest.raises(Refused, match=r"'theirs'.*Install their-shop 1\.0"):
        found.over(settings, {"theirs": "their-shop 1.0"})


@pytest.mark.usefixtures("folder")
def test_a_package_of_another_version_is_logged_with_both(caplog: pytest.LogCaptureFixture) -> None:
    built = BuiltWith(kind="linear model", name="shop", package="my-shop", version="1.9")
    gone = BuiltWith(kind="linear model", name="gone", package="not-installed", version="1.0")
    lineage = releases.LINEAGE.model_copy(update={"components": (built, gone)})
    with caplog.at_level(logging.WARNING):
        assert packages_of(lineage) == {"shop": "my-shop 1.9", "gone": "not-installed 1.0"}
    (said,) = caplog.messages
    assert "my-shop 1.9" in said
    assert "and 2.3 is installed" in said
