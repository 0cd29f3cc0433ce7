"""Opening, applying and filling the store; and Feast's own commands in feature_repo/."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.features.conftest import Shop, make_lake, settings_for, shop_tables

from remora.core.errors import NotBuilt, NotReady, SettingsError, StorageError
from remora.features import materialize as materializing
from remora.features.applied import check_materialized
from remora.features.build import build
from remora.features.declarations import declared
from remora.features.materialize import materialize
from remora.features.store import apply, open_store
from remora.settings import Settings, activate

REPO = Path(__file__).parents[2] / "feature_repo"
VIEWS = [
    "item_activity",
    "item_buyers",
    "item_catalogue",
    "item_profile",
    "user_activity",
    "user_affinity",
    "user_history",
    "user_hours",
    "user_profile",
]


@pytest.fixture
def checkout(shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with feature_repo/ in which the shop's home is active."""
    shutil.copytree(REPO, tmp_path / "feature_repo", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.chdir(tmp_path)
    activate(shop.settings)
    return tmp_path


def feast(folder: Path, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("REMORA_")}
    return subprocess.run(
        [sys.executable, "-c", "from feast.cli.cli import cli; cli()", *command],
        cwd=folder / "feature_repo",
        env={**inherited, "PYTHONPATH": str(REPO.parent), **environment},  # for the transforms of these tests
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_declarations_of_this_data_are_registered(shop: Shop) -> None:
    registered = apply(shop.settings)
    assert registered["views"] == VIEWS
    assert registered["services"] == ["item_snapshot", "ranking", "retrieval", "user"]
    assert registered["on_demand_views"] == ["user_item"]
    assert [view.name for view in open_store(shop.settings).list_feature_views()] != []


def test_what_is_no_longer_declared_is_removed(checkout: Path, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REMORA_FEATURE_REPO", str(checkout / "feature_repo"))
    services = checkout / "feature_repo" / "services.py"
    extra = '\nmood = FeatureService(name="mood", features=[user_views.views["user_activity"]])\n'
    original = services.read_text()
    services.write_text(original + extra)
    assert "mood" in apply(shop.settings)["services"]
    services.write_text(original)
    apply(shop.settings)
    assert "mood" not in [service.name for service in open_store(shop.settings).list_feature_services()]


def test_plain_feast_plans_and_applies_what_remora_opens(checkout: Path, shop: Shop) -> None:
    planned = feast(checkout, "plan")
    assert planned.returncode == 0, planned.stderr
    applied = feast(checkout, "apply")
    assert applied.returncode == 0, applied.stderr
    assert sorted(view.name for view in open_store(shop.settings).list_feature_views()) == VIEWS


def test_plain_feast_without_an_active_home_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REMORA_CONFIG", raising=False)
    with pytest.raises(SettingsError, match=r"No home is active.*remora features build --config FILE"):
        declared(tmp_path / "feature_repo")


def test_plain_feast_refuses_settings_of_a_home_that_is_not_the_active_one(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert declared(checkout / "feature_repo").settings.name == "shop"
    monkeypatch.setenv("REMORA_HOME", str(tmp_path / "other"))
    with pytest.raises(SettingsError, match=f"The settings mean the home {tmp_path / 'other'}, feature_store.yaml"):
        declared(checkout / "feature_repo")


def test_a_folder_without_declarations_is_named(shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REMORA_FEATURE_REPO", str(tmp_path))
    with pytest.raises(SettingsError, match=f"No feature declarations in {tmp_path}"):
        apply(shop.settings)


def test_a_home_without_a_store_names_the_command(home_folder: Path) -> None:
    with pytest.raises(NotBuilt, match="remora features apply"):
        open_store(settings_for(home_folder))


def test_a_remote_home_needs_servers(shop: Shop) -> None:
    remote = shop.settings.model_copy(update={"home": "s3://bucket/home?region=us-east-1"})
    with pytest.raises(SettingsError, match=r"features\.registry and features\.redis"):
        open_store(remote.model_copy(update={"features": remote.features.model_copy(update={"registry": "sqlite://"})}))


def test_materializing_again_reads_back_and_writes_nothing(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    first = materialize(shop.settings)
    assert first["user_history"] == shop.events["user_id"].n_unique()

    def written(*_: object, **__: object) -> None:
        raise AssertionError("a view that is online was written again")

    monkeypatch.setattr(materializing.FeatureStore, "materialize", written)
    assert materialize(shop.settings) == first


def test_rows_that_do_not_come_back_are_an_error(shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_for(tmp_path)
    make_lake(tmp_path, **shop_tables(events=60))
    build(settings)
    apply(settings)
    with monkeypatch.context() as lossy:
        lossy.setattr(materializing.FeatureStore, "materialize", lambda *_, **__: None)
        with pytest.raises(StorageError, match=r"rows of user_activity that were written .* did not come back"):
            materialize(settings)
    assert materialize(settings)["item_profile"] == 32


def rebuilt(home: Path) -> Settings:
    """A home whose features are applied and online, and built again of another lake."""
    settings = settings_for(home)
    make_lake(home, **shop_tables(events=60))
    build(settings)
    apply(settings)
    materialize(settings)
    make_lake(home, **shop_tables(events=90), version="lake2")
    build(settings)
    return settings


def test_features_that_were_built_and_not_applied_are_not_read_from_the_tables_of_before(
    ray_cluster: None, tmp_path: Path
) -> None:
    settings = rebuilt(tmp_path)
    with pytest.raises(NotReady, match=r"registry reads user_activity from .* is meant.*`remora features apply`"):
        open_store(settings)
    apply(settings)
    open_store(settings)
    with pytest.raises(NotReady, match=r"online store holds .* Run `remora features materialize`"):
        check_materialized(settings)
    materialize(settings)
    check_materialized(settings)

    make_lake(tmp_path, **shop_tables(events=95), version="lake3")
    with pytest.raises(NotReady, match=r"were built from lake lake2; .*`remora features build`"):
        open_store(settings)


def test_a_copied_home_and_other_settings_differ_from_those_that_were_applied(shop: Shop, tmp_path: Path) -> None:
    shutil.copytree(shop.settings.home, tmp_path / "copy")
    copied = shop.settings.model_copy(update={"home": str(tmp_path / "copy")})
    with pytest.raises(NotReady, match=f"reads user_activity from {shop.settings.home}"):
        open_store(copied)
    apply(copied)
    assert open_store(copied).get_feature_view("item_profile").batch_source.path.startswith(copied.home)
    data = shop.settings.data.model_copy(update={"user_columns": ("age",)})
    with pytest.raises(NotReady, match=r"were built with other settings.*`remora features build`"):
        open_store(shop.settings.model_copy(update={"data": data}))


@pytest.mark.parametrize("url", ["postgresql+psycopg://u:hunter2@127.0.0.1:1/feast", "postgre://u:hunter2@db/feast"])
def test_a_registry_that_cannot_be_used_is_named_without_its_password(shop: Shop, url: str) -> None:
    settings = shop.settings
    settings = settings.model_copy(update={"features": settings.features.model_copy(update={"registry": url})})
    with pytest.raises(NotReady, match=r"Feast's registry .* cannot be used: .* correct features\.registry") as raised:
        open_store(settings)
    assert "hunter2" not in str(raised.value)
