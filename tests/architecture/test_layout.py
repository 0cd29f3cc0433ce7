"""What a stranger may rely on without asking."""

from __future__ import annotations

import importlib
import platform
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "platform" / "remora"
FILES = sorted(file for file in PACKAGE.rglob("*.py") if "_pb2" not in file.name)  # those are generated


def test_platform_never_shadows_the_standard_library() -> None:
    assert not (ROOT / "platform" / "__init__.py").exists()
    out = subprocess.run(
        [sys.executable, "-c", "import platform; print(platform.python_version())"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert out.stdout.strip() == platform.python_version()


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(PACKAGE)))
def test_a_file_is_one_idea(file: Path) -> None:
    lines = file.read_text().splitlines()
    assert len(lines) <= 400, f"{file} has {len(lines)} lines"
    assert lines
    assert lines[0].startswith('"""'), f"{file} does not say what it is for"


@pytest.mark.parametrize("folder", ["utils", "helpers", "common", "base", "manager", "handler"])
def test_no_file_or_folder_is_named_after_nothing(folder: str) -> None:
    assert not [p for p in PACKAGE.rglob("*") if p.stem == folder]


def test_doors_for_jobs_are_thin() -> None:
    jobs = sorted((ROOT / "jobs").glob("*.py"))
    assert jobs
    for job in jobs:
        assert len(job.read_text().splitlines()) <= 30, job


def test_nothing_happens_on_import() -> None:
    """Every module imports without creating a file, starting Ray, or adding a log handler."""
    modules = [
        "remora." + ".".join(f.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")
        for f in FILES
        if f.name != "__init__.py"
    ]
    code = (
        "import importlib, logging, os, sys, tempfile\n"
        "os.chdir(tempfile.mkdtemp())\n"
        f"for m in {modules!r}: importlib.import_module(m)\n"
        "import ray\n"
        "assert not ray.is_initialized()\n"
        "assert not os.listdir('.'), os.listdir('.')\n"
        "assert not logging.getLogger('remora').handlers\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_version_is_that_of_the_distribution() -> None:
    from importlib.metadata import version

    assert importlib.import_module("remora").__version__ == version("remora")
