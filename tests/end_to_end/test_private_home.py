"""What a home holds after the whole path is its owner's alone, whichever process wrote it."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import yaml
from mlflow import MlflowClient
from tests.end_to_end.dataset import write
from tests.shops import Shop

from remora.core.private import OTHERS
from remora.registry.bundles import Bundles
from remora.registry.tracking import tracking_uri


def open_to_others(home: Path) -> dict[str, str]:
    """Path -> mode of every file and folder, the home too, that the group or others may use."""
    modes = {path: path.lstat().st_mode for path in (home, *home.rglob("*"))}
    assert len(modes) > 1
    return {
        str(path.relative_to(home)): stat.filemode(mode)
        for path, mode in modes.items()
        if mode & OTHERS and not stat.S_ISLNK(mode)
    }


def kinds(home: Path) -> set[str]:
    return {path.suffix for path in home.rglob("*") if path.is_file()} | {path.name for path in home.iterdir()}


def test_what_the_whole_path_wrote_is_its_owners_alone(shop: Shop) -> None:
    home = Path(shop.settings.home)
    assert kinds(home) >= {"lake", "features", "feast", "mlflow", "bundles", ".db", ".parquet", ".json", ".safetensors"}
    assert open_to_others(home) == {}


def test_files_beside_an_open_database_are_its_owners_alone(shop: Shop) -> None:
    client = MlflowClient(tracking_uri(shop.settings))
    run = client.create_run(client.get_experiment_by_name(shop.settings.name).experiment_id)
    client.set_terminated(run.info.run_id)
    client.delete_run(run.info.run_id)
    assert open_to_others(Path(shop.settings.home)) == {}


def test_a_command_makes_a_private_home_whatever_the_shell_lets_others_do(tmp_path: Path) -> None:
    config = write(tmp_path, people=20, things=20, events=300)
    settings = yaml.safe_load(config.read_text()) | {"home": str(tmp_path / "home"), "cluster": {"cpus": 2}}
    config.write_text(yaml.safe_dump(settings))
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("REMORA_", "RAY_"))}
    done = subprocess.run(
        [sys.executable, "-m", "remora.cli.main", "data", "ingest", "--config", str(config)],
        cwd=tmp_path,
        env=inherited | {"RAY_AUTH_MODE": "disabled"},
        umask=0o022,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert any(path.name == "CURRENT" for path in (tmp_path / "home").rglob("*"))
    assert open_to_others(tmp_path / "home") == {}
    assert open_to_others(tmp_path / ".remora") == {}


def test_what_is_exported_is_for_others_and_leaves_nothing_open_in_the_home(shop: Shop, tmp_path: Path) -> None:
    target = tmp_path / "given.tar"
    Bundles(shop.settings).export("production", target)
    assert stat.S_IMODE(target.stat().st_mode) == 0o644
    assert open_to_others(Path(shop.settings.home)) == {}
