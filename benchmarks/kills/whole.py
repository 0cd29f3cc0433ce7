"""Is a home whole? What every reader relies on, looked at after a kill."""

from __future__ import annotations

import json
from pathlib import Path

from remora.core.artifacts import POINTER, STAGING, VERSIONS, ArtifactStore
from remora.core.errors import NotBuilt, NotReady, RemoraError
from remora.core.home import Home
from remora.features.store import REGISTRY, open_store
from remora.registry.bundles import Bundles
from remora.settings import Settings, load
from remora.settings.one_writer import one_writer
from remora.workflow.run_records import Records


def broken(settings: Settings) -> list[str]:
    """What is wrong with the home, a line each; nothing when all is well."""
    wrong = []
    for check in (_artifacts, _bundles, _pointers, _store, _records, _settings, _lock):
        try:
            check(settings)
        except (RemoraError, OSError, ValueError, AssertionError) as error:
            wrong.append(f"{check.__name__.strip('_')}: {type(error).__name__}: {error}")
    return wrong


def staging_folders(settings: Settings) -> int:
    """Staging folders that dead processes have left."""
    return sum(len([*folder.iterdir()]) for folder in Path(settings.home).glob(f"*/{STAGING}"))


def _artifacts(settings: Settings) -> None:
    """Every pointer names a version, and every version is as it was written."""
    home = Home(settings.home)
    for name in home.folders(""):
        artifacts = ArtifactStore(home, name, "the command that makes it")
        if home.exists(f"{name}/{POINTER}"):
            artifacts.current()
        for version in home.folders(f"{name}/{VERSIONS}"):
            assert artifacts.find(version) is not None, f"{name} {version} has no metadata and lies among the versions"


def _bundles(settings: Settings) -> None:
    """Every bundle that is listed can be served."""
    bundles = Bundles(settings)
    for listed in bundles.list():
        assert not listed.problem, listed.problem
        bundles.open(listed.id)


def _pointers(settings: Settings) -> None:
    """Once what was cut off is settled, alias, traffic and the last record say the same."""
    bundles = Bundles(settings)
    try:
        traffic = bundles.traffic()
    except NotBuilt:
        return
    alias = bundles.resolve("production")
    moved = [move for move in bundles.history() if move.alias == "production" and move.done]
    assert alias == traffic.production == moved[-1].bundle, (alias, traffic.production, moved[-1].bundle)
    bundles.open(alias)


def _store(settings: Settings) -> None:
    """Feast's registry and the online store answer; that they are older than the settings is no damage."""
    if not Home(settings.home).exists(REGISTRY):
        return
    try:
        store = open_store(settings)
    except NotReady:
        return
    views = {view.name for view in store.list_feature_views()}
    if "user_activity" in views:
        [first, *_] = [field.name for field in store.get_feature_view("user_activity").features]
        store.get_online_features([f"user_activity:{first}"], [{"user_id": "u1"}]).to_dict()


def _records(settings: Settings) -> None:
    """Every run's record is read, and so is every promotion's."""
    for file in (Path(settings.home) / "runs").glob("*.json"):
        json.loads(file.read_text())
    Records(Home(settings.home)).all()


def _settings(settings: Settings) -> None:
    """The home's own settings are whole."""
    file = Path(settings.home) / "settings.yaml"
    if file.exists():
        load(file)


def _lock(settings: Settings) -> None:
    """The dead hold no lock."""
    with one_writer(settings, "a look at the home"):
        pass
