"""Each skeleton is a package that works as it is: its test passes, pip installs it, and settings choose it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from tests.extensions.packages import on_the_path
from tests.project.wheel import pip
from typer.testing import CliRunner

from remora.cli.main import app
from remora.contracts.errors import SettingsError
from remora.extensions import choices
from remora.extensions.kinds import KINDS, LINEAR_MODEL, METRIC
from remora.project.component_skeleton import component_skeleton, kinds_with_skeleton
from remora.settings import Settings

DATA = {
    "events": [{"path": "e.csv", "format": "csv", "columns": {"user_id": "u"}, "event_type": "buy"}],
    "event_types": {"buy": {}},
}


def test_kinds_of_components_have_a_skeleton() -> None:
    """A kind gets one by a folder in platform/remora/project/skeletons."""
    assert {METRIC, LINEAR_MODEL} <= set(kinds_with_skeleton().values()) <= set(KINDS)


@pytest.mark.parametrize("kind", kinds_with_skeleton())
def test_a_skeleton_passes_its_own_test_and_is_chosen_by_its_name(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    name = f"own_{kind}"
    done = CliRunner().invoke(app, ["new", "component", kind, name], catch_exceptions=False)
    assert done.exit_code == 0
    package = tmp_path / name
    tested = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=package,
        capture_output=True,
        text=True,
        check=False,
    )
    assert tested.returncode == 0, tested.stdout
    pip("install", "--no-build-isolation", "--target", str(tmp_path / "site"), str(package))
    with on_the_path(tmp_path / "site"):
        settings = Settings(name="x", data=DATA, **yaml.safe_load(component_skeleton(kind, name).settings))
        assert name in [choice.type for choice in choices(settings)]


@pytest.mark.parametrize("kind", kinds_with_skeleton())
def test_settings_may_name_a_skeleton_by_its_module(kind: str, tmp_path: Path) -> None:
    skeleton = component_skeleton(kind, f"by_module_{kind}")
    for file, text in skeleton.files.items():
        (tmp_path / file).write_text(text)
    with on_the_path(tmp_path):
        Settings(name="x", data=DATA, **yaml.safe_load(skeleton.by_module))


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
