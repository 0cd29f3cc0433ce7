"""Each skeleton is a package that works as it is: its test passes, it can be installed, and settings choose it."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.extensions.packages import install, on_the_path
from tests.project.wheel import pip
from typer.testing import CliRunner

from remora.cli.main import app
from remora.core.errors import SettingsError
from remora.extensions import choices
from remora.extensions.kinds import KINDS
from remora.project.component_skeleton import ComponentSkeleton, component_skeleton, kinds_with_skeleton
from remora.project.folders import write_project
from remora.settings import Settings

DATA: dict[str, Any] = {
    "events": [{"path": "e.csv", "format": "csv", "columns": {"user_id": "u"}, "event_type": "buy"}],
    "event_types": {"buy": {}},
}


def settings(text: str) -> Settings:
    return Settings(name="x", data=DATA, **yaml.safe_load(text))


def test_every_kind_of_component_has_a_skeleton() -> None:
    """A kind gets one by a folder in platform/remora/project/skeletons."""
    assert list(kinds_with_skeleton().values()) == list(KINDS)


def test_the_tests_of_all_skeletons_pass(tmp_path: Path) -> None:
    for kind in kinds_with_skeleton():
        write_project(tmp_path / kind, component_skeleton(kind, f"own_{kind}").files)
    path = os.pathsep.join(
        [str(tmp_path / kind) for kind in kinds_with_skeleton()] + [os.environ.get("PYTHONPATH", "")]
    )
    tested = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--import-mode=importlib", str(tmp_path)],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert tested.returncode == 0, tested.stdout


def entry_points(skeleton: ComponentSkeleton) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = tomllib.loads(skeleton.files["pyproject.toml"])["project"]["entry-points"]
    return found


@pytest.mark.parametrize("kind", kinds_with_skeleton())
def test_settings_choose_a_skeleton_by_the_name_that_it_registers(kind: str, tmp_path: Path) -> None:
    name = f"registered_{kind}"
    skeleton = component_skeleton(kind, name)
    install(tmp_path, name, modules={name: skeleton.files[f"{name}.py"]}, groups=entry_points(skeleton))
    with on_the_path(tmp_path):
        assert name in [choice.type for choice in choices(settings(skeleton.settings))]


@pytest.mark.parametrize("kind", kinds_with_skeleton())
def test_settings_may_name_a_skeleton_by_its_module(kind: str, tmp_path: Path) -> None:
    skeleton = component_skeleton(kind, f"by_module_{kind}")
    write_project(tmp_path, skeleton.files)
    with on_the_path(tmp_path):
        types = [choice.type for choice in choices(settings(skeleton.by_module))]
    assert any(type.startswith(f"by_module_{kind}:") for type in types)


def test_pip_installs_a_skeleton(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    skeleton = component_skeleton("metric", "own_measure")
    done = CliRunner().invoke(app, ["new", "component", "metric", "own_measure"], catch_exceptions=False)
    assert done.exit_code == 0
    assert "pip install -e own_measure" in done.stdout
    pip("install", "--no-build-isolation", "--target", str(tmp_path / "site"), str(tmp_path / "own_measure"))
    with on_the_path(tmp_path / "site"):
        chosen = choices(settings(skeleton.settings))
        with pytest.raises(SettingsError, match="is installed already"):
            component_skeleton("metric", "own_measure")
        assert "own-measure" in {choice.component.distribution for choice in chosen}


def test_what_cannot_be_written_says_why(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"no skeleton of a component 'hat'\. There is: metric, linear_model"):
        component_skeleton("hat", "mine")
    for name in ("Mine", "2nd", "class", "a-b", ""):
        with pytest.raises(SettingsError, match="is no name of a module"):
            component_skeleton("metric", name)
    (tmp_path / "mine.py").write_text("")
    done = CliRunner().invoke(app, ["new", "component", "metric", "mine", "--folder", str(tmp_path)])
    assert isinstance(done.exception, SettingsError)
    assert (tmp_path / "mine.py").read_text() == ""


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("json", "name of a module already"),
        ("numpy", "name of a module already"),
        ("remora", "name of a module already"),
        ("conftest", "name of a module already"),
        ("ndcg", "is installed already"),
        ("true", "no text in YAML"),
        ("null", "no text in YAML"),
        ("a" * 65, "at most 64"),
    ],
)
def test_a_name_that_would_hide_another_is_refused(name: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        component_skeleton("metric", name)
