"""Peers run in a virtual environment of their own: one process for each model, which prints one line of JSON."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.training.meter import Round
from benchmarks.training.table import Model, Work

from remora.core.errors import DataError, NotReady

HERE = Path(__file__).parent
VENV = Path(".remora/peers")
DRIVERS = {"recbole": "drive_recbole.py", "torch-rechub": "drive_rechub.py"}
LIMIT_SECONDS = 300
MAKE = """\
The peers' virtual environment {venv} is not there. Make it with

  {python} -m venv {venv}
  {venv}/bin/pip install torch==2.13.0
  {venv}/bin/pip install --no-deps -r benchmarks/training/peers.txt

in this order: asked for together with others, pip would take a torch with gigabytes of CUDA. --alone measures Remora \
without them."""


def interpreter(venv: Path) -> Path:
    """NotReady, with the commands that make it, where none exists."""
    found = venv / "bin" / "python"
    if not found.exists():
        raise NotReady(MAKE.format(venv=venv, python="python3.11"))
    return found.absolute()


def run(python: Path, model: Model, work: Work, data: Path, folder: Path) -> dict[str, Any]:
    """What the driver printed, its ``rounds`` as Round; a driver that fails or hangs says so under ``failed``."""
    folder.mkdir()
    settings = json.dumps(asdict(work) | {"model": model.name, "data": str(data)})
    threads = {name: str(work.threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
    try:
        done = subprocess.run(
            [str(python), str(HERE / DRIVERS[model.package]), settings],
            cwd=folder,
            env=os.environ | threads,
            capture_output=True,
            text=True,
            timeout=LIMIT_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return {"failed": f"not finished after {LIMIT_SECONDS} s"}
    if done.returncode:
        return {"failed": "\n".join(done.stderr.strip().splitlines()[-12:])}
    return parsed(done.stdout)


def parsed(printed: str) -> dict[str, Any]:
    """The last line, which holds ``rounds``, ``positives`` and ``versions``; libraries print what they like before it.

    DataError where it is anything else, or where a round has no example.
    """
    lines = printed.strip().splitlines()
    try:
        line = json.loads(lines[-1])
        rounds = [Round(**one) for one in line["rounds"]]
        found = {"rounds": rounds, "positives": int(line["positives"]), "versions": dict(line["versions"])}
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise DataError(f"A peer's driver printed no result but {lines[-1:]}: {error!r}.") from error
    if len(rounds) < 2 or not all(one.examples and one.seconds > 0 for one in rounds):
        raise DataError(f"A peer's driver printed rounds without examples or without a warm-up: {line['rounds']}.")
    return found
