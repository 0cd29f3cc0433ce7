"""The command as a person meets it: in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

NOUNS = [
    "data",
    "features",
    "train",
    "tune",
    "evaluate",
    "bundle",
    "rollout",
    "serve",
    "recommend",
    "explain",
    "run",
    "runs",
]


def remora(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "remora.cli.main", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_help_names_every_noun_and_the_whole_path(tmp_path: Path) -> None:
    out = remora("--help", folder=tmp_path)
    assert out.returncode == 0
    for noun in NOUNS:
        assert noun in out.stdout


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["data", "ingest"], 2, "No home is active here"),
        (["run", "--config", "absent.yaml"], 2, "There is no settings file 'absent.yaml'"),
        (["data", "ingst"], 2, "No such command 'ingst'"),
        (["run", "--since", "yesterday"], 2, "'yesterday' is not one of 'last'"),
        (["recommend"], 2, "give a USER, or --all with --out DIR"),
    ],
)
def test_a_mistake_gets_a_message_and_a_code_but_no_traceback(
    tmp_path: Path, words: list[str], code: int, message: str
) -> None:
    out = remora(*words, folder=tmp_path)
    assert out.returncode == code
    assert message in " ".join(out.stderr.split())
    assert "Traceback" not in out.stderr
    assert list(tmp_path.iterdir()) == []


def test_help_does_not_load_the_heavy_libraries(tmp_path: Path) -> None:
    code = (
        "import sys, remora.cli.main\n"
        "heavy = {'ray', 'torch', 'mlflow', 'feast', 'xgboost', 'faiss', 'polars'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    out = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert out.returncode == 0, out.stderr
