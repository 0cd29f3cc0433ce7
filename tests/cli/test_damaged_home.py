"""Whatever document of a home is damaged, no command ends with an error that names nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import cycle
from pathlib import Path

import pytest
import yaml
from tests.damage import DAMAGES
from tests.registry import releases
from typer.testing import CliRunner

from remora.cli.main import app
from remora.cli.unforeseen import deliberate
from remora.control.replica_status import ReplicaStatus, ReplicaStatuses
from remora.core.errors import RemoraError
from remora.core.home import Home
from remora.features.applied import RECORD
from remora.registry.bundles import Bundles
from remora.release.rollout.commands import Action, Command, CommandQueue
from remora.release.rollout.controller import Controller
from remora.release.rollout.plan import Plan
from remora.release.rollout.start import start_rollout
from remora.release.rollout.state import Rollouts
from remora.settings import Settings, load
from remora.workflow.run_records import Records, RunRecord

NOW = datetime(2026, 11, 1, tzinfo=UTC)
DATA = {
    "events": [{"path": "events.csv", "format": "csv", "columns": {"user_id": "u"}, "event_type": "like"}],
    "event_types": {"like": {}},
}
BUNDLES = ("bundle list", "bundle history", "bundle show", "bundle verify", "bundle gc", "gc", "serve status")

DOCUMENTS: dict[str, tuple[str, ...]] = {
    "bundles/promotions/*-production.json": (*BUNDLES, "rollout status"),
    "bundles/promotions/*-candidate.json": (*BUNDLES, "bundle show candidate"),
    "bundles/.lock": BUNDLES,
    "bundles/*/manifest.json": BUNDLES,
    "bundles/*/lineage.json": (*BUNDLES, "bundle show --html {tmp}/card.html"),
    "bundles/*/metrics.json": (*BUNDLES, "bundle diff production candidate"),
    "serving/traffic.json": BUNDLES,
    "serving/unrecorded_moves.json": BUNDLES,
    "serving/live/*.json": ("serve status", "rollout status"),
    "rollouts/*.json": ("rollout status", "rollout pause", "rollout resume", "rollout abort"),
    "rollouts/CURRENT": ("rollout status", "rollout pause", "rollout resume", "rollout abort"),
    "runs/*.json": ("runs", "runs --check", "gc"),
    RECORD: ("features parity",),
    "lake/CURRENT": ("gc", "data report"),
}
"""Which commands read a document, by its place in the home."""


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The settings of a home with every kind of document."""
    folder = tmp_path_factory.mktemp("damaged")
    file = folder / "shop.yaml"
    file.write_text(yaml.safe_dump({"name": "shop", "home": str(folder / "home"), "data": DATA}))
    settings = load(file)
    home, bundles = Home(settings.home), Bundles(settings)
    one, two, three = (releases.build(bundles, model).id for model in (b"one", b"two", b"three"))
    for id, alias in ((one, "production"), (two, "production"), (three, "candidate")):
        bundles.promote(id, alias, by="ann", why="next")
    rollout = start_rollout(
        bundles, bundle=three, plan=Plan.parse("shadow:10m,canary:5%:30m,full"), by="ann", why="try", now=NOW
    )
    CommandQueue(home, rollout.id).ask(Command(what=Action.PAUSE, by="bob"))
    ReplicaStatuses(home).write(ReplicaStatus(replica="r", deployment="d", heartbeat=1, revision=1, ready=(two,)))
    run = RunRecord(id="r", by="ann", host="h", pid=1, since=None, policy="candidate", inputs="0", started_at=NOW)
    Records(home).write(run.model_copy(update={"outcome": "succeeded", "ended_at": NOW + timedelta(hours=1)}))
    home.write_json("serving/unrecorded_moves.json", [{"alias": "shadow", "recorded": one, "found": two}])
    home.write_json(RECORD, {"user_activity": {"tables": "0", "store": "sqlite"}})
    home.write_bytes("lake/CURRENT", b"0123\n")
    return file


def ended(config: Path, tmp: Path, command: str) -> tuple[int, BaseException | None, str]:
    arguments = [*command.format(tmp=tmp).split(), "--config", str(config)]
    result = CliRunner().invoke(app, arguments)
    return result.exit_code, result.exception, result.output


@pytest.fixture
def restored(config: Path) -> Iterator[Path]:
    """The home's folder, whose documents are as before when a test has ended. MLflow's database is left alone: it is
    open."""
    home = Path(load(config).home)
    before = {file: file.read_bytes() for file in home.rglob("*") if file.is_file() and "mlflow" not in file.parts}
    yield home
    for file in home.rglob("*"):
        if file.is_file() and "mlflow" not in file.parts and file not in before:
            file.unlink()
    for file, content in before.items():
        file.write_bytes(content)


@pytest.mark.parametrize("place", DOCUMENTS)
def test_no_damaged_document_ends_a_command_with_an_unforeseen_error(
    config: Path, restored: Path, tmp_path: Path, place: str
) -> None:
    files = sorted(restored.glob(place))
    assert files, "there is such a document"
    kept = {file: file.read_bytes() for file in files}
    commands = cycle(DOCUMENTS[place])
    for damage in DAMAGES.values():
        for file, content in kept.items():
            file.write_bytes(damage(content))
        command = next(commands)
        code, error, said = ended(config, tmp_path, command)
        assert error is None or isinstance(error, SystemExit) or deliberate(error) is not None, (command, error)
        assert code in (0, 1, 3, 4), (command, said)


def test_a_damaged_record_is_named_by_the_commands_that_show_it(config: Path, restored: Path, tmp_path: Path) -> None:
    record = sorted(restored.glob("bundles/promotions/*-production.json"))[-1]
    record.write_bytes(b"")
    for command in ("bundle list", "bundle history", "serve status"):
        code, error, said = ended(config, tmp_path, f"{command} --json")
        assert (code, error) == (0, None)
        assert str(record) in said
        code, _, said = ended(config, tmp_path, command)
        assert code == 0
        assert record.name in "".join(said.split())


def test_damaged_traffic_and_a_lost_bundle_are_named(config: Path, restored: Path, tmp_path: Path) -> None:
    (restored / "serving/traffic.json").write_text("garbage\n")
    for command in ("bundle list", "serve status"):
        code, _, said = ended(config, tmp_path, f"{command} --json")
        assert code == 0
        assert "traffic.json" in said
        assert "restore-aliases" in said
    code, error, _ = ended(config, tmp_path, "bundle gc")
    assert code == 1
    assert isinstance(error, RemoraError)
    production = json.loads(ended(config, tmp_path, "bundle history --json")[2])["promotions"][1]["bundle"]
    for file in (restored / "bundles" / production).iterdir():
        file.unlink()
    code, _, said = ended(config, tmp_path, "bundle verify")
    assert code == 1
    assert f"{production}: There is no bundle" in said
    for command in ("bundle list", "serve status"):
        assert "The alias production means it, and it is gone" in " ".join(ended(config, tmp_path, command)[2].split())


def test_a_command_to_a_rollout_that_cannot_be_read_is_noted_and_stops_nothing(config: Path, restored: Path) -> None:
    settings: Settings = load(config)
    for file in restored.glob("rollouts/*/commands/*.json"):
        file.write_bytes(b"")
    Controller(settings, clock=lambda: NOW + timedelta(minutes=1)).look()
    rollout = Rollouts(Home(settings.home)).current()
    assert any("cannot be read" in entry.what and "commands" in entry.why[0] for entry in rollout.journal)
    assert len(rollout.processed) == 1
