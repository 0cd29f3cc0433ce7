"""Importing Feast leaves nothing behind that a child could inherit, and imports PyTorch where that is asked for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from remora.core.feast_import import VARIABLES

LEFT = f"""
import json, os, sys
import remora
from feast import metrics
import remora.features.store
assert "torch" not in sys.modules
metrics.Gauge("planted", "Counted in memory.", multiprocess_mode="max").set(1)
names = {VARIABLES!r}
json.dump({{name: os.environ[name] for name in names if name in os.environ}}, sys.stdout)
sys.stdout.flush()
os.kill(os.getpid(), 9)  # as Ray ends its workers: nothing cleans up
"""


@pytest.mark.parametrize("inherited", [{}, {VARIABLES[0]: "/gone", VARIABLES[1]: "/gone"}])
def test_a_process_that_imports_feast_leaves_no_folder_and_no_variable(
    tmp_path: Path, inherited: dict[str, str]
) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    environment |= inherited | {"TMPDIR": str(tmp_path), "HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", LEFT], env=environment, capture_output=True, text=True)
    assert json.loads(done.stdout or "null") == inherited, done.stderr
    assert not list(tmp_path.glob("feast_metrics_*"))


def test_feast_gets_pytorch_when_it_asks_for_it() -> None:
    import torch
    from feast.torch_wrapper import get_torch

    assert get_torch() is torch
