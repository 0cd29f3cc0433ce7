"""Remora's wheel, built from this checkout and installed into a folder of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = ("pyproject.toml", "README.md", "LICENSE", "platform", "feature_repo", "jobs", "serve_apps")


def build_wheel(folder: Path) -> Path:
    """Build the wheel in a copy of the sources, with what is installed here and without network."""
    source = folder / "source"
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        else:
            source.mkdir(exist_ok=True)
            shutil.copy(ROOT / name, source / name)
    pip("wheel", "--no-build-isolation", "--wheel-dir", str(folder), str(source))
    (wheel,) = folder.glob("remora-*.whl")
    return wheel


def pip(command: str, *arguments: str) -> None:
    """Run pip without a look at any index."""
    asked = [sys.executable, "-m", "pip", command, "--no-deps", "--no-index", "--disable-pip-version-check", "--quiet"]
    done = subprocess.run([*asked, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@dataclass(frozen=True)
class Installed:
    """A folder with the installed package, which comes before this checkout on the import path of what it runs."""

    folder: Path

    @classmethod
    def of(cls, wheel: Path, folder: Path) -> Installed:
        """Install the wheel alone: its dependencies are those of the tests."""
        pip("install", "--target", str(folder), str(wheel))
        return cls(folder)

    def python(
        self, arguments: Sequence[str], cwd: Path, *, ok: bool = True, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run Python in ``cwd``; with ``ok`` it must succeed."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("REMORA_", "PYTHON"))}
        here = {"PYTHONPATH": str(self.folder), "PYTHONSAFEPATH": "1", "PWD": str(cwd), "COLUMNS": "120"}
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=cwd,
            env=inherited | here | environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert not ok or done.returncode == 0, f"{arguments}\n{done.stdout}\n{done.stderr}"
        return done

    def remora(
        self, *arguments: str, cwd: Path, ok: bool = True, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run the command `remora`."""
        return self.python(["-m", "remora.cli.main", *arguments], cwd, ok=ok, **environment)
