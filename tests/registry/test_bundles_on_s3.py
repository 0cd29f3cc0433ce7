"""The same registry on an S3 endpoint over HTTP."""

from __future__ import annotations

from collections.abc import Iterator

import boto3
import pytest
from moto.server import ThreadedMotoServer
from tests.registry import releases

from remora.contracts.errors import Tampered
from remora.registry.bundles import Bundles
from remora.registry.tracking import tracking_uri

KEYS = {"aws_access_key_id": "key", "aws_secret_access_key": "secret", "region_name": "us-east-1"}


@pytest.fixture
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"{host}:{port}"
    finally:
        server.stop()


@pytest.fixture
def remote(bundles: Bundles, endpoint: str) -> Bundles:
    boto3.client("s3", endpoint_url=f"http://{endpoint}", **KEYS).create_bucket(Bucket="lake")
    home = f"s3://key:secret@lake/shop?scheme=http&endpoint_override={endpoint}&region=us-east-1"
    update = {"home": home, "tracking_uri": tracking_uri(bundles.settings)}
    return Bundles(bundles.settings.model_copy(update=update))


def test_a_bundle_on_s3_is_built_promoted_downloaded_and_verified(remote: Bundles, endpoint: str) -> None:
    built = releases.build(remote)
    assert releases.build(remote).id == built.id
    remote.promote(built.id, by="ann", why="first")
    assert [(b.id, b.aliases) for b in remote.list()] == [(built.id, ("production",))]
    assert [p.done for p in remote.history()] == [True]
    folder = remote.open("production").local()
    assert (folder / "ranker.ubj").read_bytes() == b"a booster"

    s3 = boto3.client("s3", endpoint_url=f"http://{endpoint}", **KEYS)
    s3.put_object(Bucket="lake", Key=f"shop/bundles/{built.id}/ranker.ubj", Body=b"a trojan!")
    with pytest.raises(Tampered, match=r"ranker\.ubj"):
        remote.open("production")
