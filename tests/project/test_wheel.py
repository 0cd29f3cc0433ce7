"""What the wheel holds, and that the package finds it where it is installed."""

from __future__ import annotations

import zipfile
from pathlib import Path

from tests.project.wheel import ROOT, Installed

NOT_IMPORTED = (".j2", ".lua", ".proto", ".yaml")


def test_the_wheel_has_all_of_the_package_and_of_the_folders_of_a_project(wheel: Path) -> None:
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    package = ROOT / "platform" / "remora"
    wanted = {
        f"remora/{file.relative_to(package)}"
        for file in package.rglob("*")
        if file.suffix in (".py", *NOT_IMPORTED) and "__pycache__" not in file.parts
    }
    for folder in ("feature_repo", "jobs", "serve_apps"):
        files = (file for file in (ROOT / folder).iterdir() if file.suffix in (".py", ".yaml"))
        wanted |= {f"remora/project/{folder}/{file.name}" for file in files}
    assert wanted - held == set()
    assert {name for name in held if name.endswith(".py")} - wanted == set()


def test_the_installed_package_finds_its_feature_declarations(installed: Installed, tmp_path: Path) -> None:
    code = (
        "import remora; from remora.features.feature_repo import feature_repo;"
        "from remora.core.project_folders import original;"
        "print(remora.__file__); print(feature_repo()); print(original('jobs')); print(original('serve_apps'))"
    )
    printed = installed.python(["-c", code], tmp_path).stdout.splitlines()
    assert len(printed) == 4
    assert all(path.startswith(str(installed.folder)) for path in printed), printed


def test_the_installed_package_registers_its_components(installed: Installed, tmp_path: Path) -> None:
    code = "from remora.extensions import kinds, names; print([names(kind) for kind in kinds.KINDS])"
    printed = installed.python(["-c", code], tmp_path).stdout
    assert "'ndcg'" in printed
    assert "'ease'" in printed


def test_a_package_within_another_repository_does_not_record_its_commit(installed: Installed, tmp_path: Path) -> None:
    code = "from remora.steps.code import commit; print(repr(commit()))"
    assert installed.python(["-c", code], tmp_path).stdout.strip() == "''"
