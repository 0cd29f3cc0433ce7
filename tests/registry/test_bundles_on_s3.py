"""The same registry on an S3 endpoint over HTTP."""

from __future__ import annotations

from pathlib import Path

import boto3
import pytest
from tests.registry import releases
from tests.registry.conftest import S3

from remora.core.errors import ChecksumMismatch, SettingsError
from remora.core.home import uploading
from remora.registry.bundles import Bundles
from remora.registry.manifest import MANIFEST
from remora.registry.store import FOLDER
from remora.registry.tracking import tracking_uri


@pytest.fixture
def remote(bundles: Bundles, bucket_home: str) -> Bundles:
    update = {"home": bucket_home, "tracking_uri": tracking_uri(bundles.settings)}
    return Bundles(bundles.settings.model_copy(update=update))


def test_a_bundle_on_s3_is_built_promoted_downloaded_and_verified(remote: Bundles, endpoint: str) -> None:
    built = releases.build(remote)
    assert releases.build(remote).id == built.id
    remote.promote(built.id, by="ann", why="first")
    assert [(b.id, b.aliases) for b in remote.list()] == [(built.id, ("production",))]
    assert [p.done for p in remote.history()] == [True]
    folder = remote.open("production").local()
    assert (folder / "ranker.ubj").read_bytes() == b"a booster"

    s3 = boto3.client("s3", endpoint_url=f"http://{endpoint}", **S3)
    s3.put_object(Bucket="lake", Key=f"shop/bundles/{built.id}/ranker.ubj", Body=b"a trojan!")
    with pytest.raises(ChecksumMismatch, match=r"ranker\.ubj"):
        remote.open("production")


def test_a_bundle_goes_from_a_local_home_to_s3_and_back_as_the_same_file(
    bundles: Bundles, remote: Bundles, tmp_path: Path
) -> None:
    built = releases.build(bundles)
    bundles.export(built.id, tmp_path / "out.tar")
    assert remote.import_(tmp_path / "out.tar").id == built.id
    assert remote.open(built.id).read_bytes("ranker.ubj") == b"a booster"
    remote.export(built.id, tmp_path / "back.tar")
    assert (tmp_path / "back.tar").read_bytes() == (tmp_path / "out.tar").read_bytes()


def test_what_is_not_needed_goes_from_s3_too(remote: Bundles) -> None:
    ids = [releases.build(remote, model).id for model in (b"one", b"two", b"three")]
    remote.promote(ids[0], by="ann", why="first")
    # S3 has the second in which a file was written: of bundles of one second the last by name counts as the newest.
    written = {file.path.split("/")[0]: file.at for file in remote.home.stored(FOLDER) if file.path.endswith(MANIFEST)}
    newest = max(ids, key=lambda id: (written[id], id))
    going = {str(bundle.id) for bundle in remote.gc(keep=1, delete=True)}
    assert going == set(ids[1:]) - {newest}
    assert {b.id for b in remote.list()} == set(ids) - going
    assert not [file for file in remote.home.stored(FOLDER) if file.path.split("/")[0] in going]


def test_production_on_s3_is_rolled_back(remote: Bundles) -> None:
    one, two = (releases.build(remote, model).id for model in (b"one", b"two"))
    for id in (one, two):
        remote.promote(id, by="ann", why="next")
    assert remote.rollback(by="bob", why="worse").bundle == one
    assert remote.traffic().production == remote.resolve("production") == one


def test_an_upload_to_s3_whose_source_breaks_leaves_no_object(remote: Bundles) -> None:
    home = remote.home

    def broken() -> None:
        with uploading(home.filesystem, home.at("half")) as sink:
            sink.write(b"the first half")
            raise ConnectionError("the source is gone")

    with pytest.raises(ConnectionError):
        broken()
    assert not home.exists("half")


def test_a_home_on_s3_whose_registry_nothing_can_lock_is_not_changed(remote: Bundles) -> None:
    built = releases.build(remote)
    served = Bundles(remote.settings.model_copy(update={"tracking_uri": "http://mlflow:5000"}))
    with pytest.raises(SettingsError, match=r"registry\.lock_url.*postgresql://"):
        served.promote(built.id, by="ann", why="first")
