"""A full disk, a crash between two writes, and a store that is not a disk."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator

import pyarrow.fs as pafs
import pytest
from moto.server import ThreadedMotoServer
from tests.ingest.batches import Exports, content_of, event
from tests.ingest.shop import bring_shop, shop_events

from remora.core.artifacts import ArtifactStore
from remora.core.errors import StorageError
from remora.core.home import NO_HARD_LINKS, Home
from remora.ingest import ingest as ingesting
from remora.ingest.ingest import ingest
from remora.ingest.lake import Lake
from remora.settings import Settings

pytestmark = pytest.mark.usefixtures("on_ray")


def full_disk(written: str) -> type[Home]:
    """A home on whose filesystem every file with ``written`` in its path is the kernel's own full device."""

    class FullDevice(pafs.FSSpecHandler):
        def open_output_stream(self, path, metadata):
            full = written in path
            return super().open_output_stream("/dev/full" if full else path, metadata)

    class FullHome(Home):
        @property
        def filesystem(self):
            import fsspec.implementations.local

            return pafs.PyFileSystem(FullDevice(fsspec.implementations.local.LocalFileSystem()))

        @property
        def is_local(self):
            return True

    return FullHome


@pytest.mark.parametrize("written", ["/events/day=", "/quarantine/"])
def test_a_disk_that_is_full_in_a_worker_is_a_storage_error_and_the_next_run_works(home_folder, monkeypatch, written):
    before = ingest(bring_shop(home_folder))
    changed = bring_shop(home_folder, events=shop_events(rows=300, seed=1))
    with monkeypatch.context() as patch:
        patch.setattr(ingesting, "Home", full_disk(written))
        with pytest.raises(StorageError, match=rf"^No space left while writing .*{written}.*Free space"):
            ingest(changed)
    current = Lake.open(Home(str(home_folder)))
    assert current.version == before.version
    current.artifact.verify()
    after = ingest(changed)
    assert after.version != before.version
    after.artifact.verify()


def test_a_crash_before_the_metadata_or_before_the_pointer_leaves_the_lake_before(home_folder, monkeypatch):
    before = ingest(bring_shop(home_folder))
    changed = bring_shop(home_folder, events=shop_events(rows=300, seed=2))
    # The staging folder is whole and no version yet; then it is one, and the pointer is on the version before.
    for crash_in in ("rename", "set_current"):
        with monkeypatch.context() as patch:

            def crash(*_: object) -> None:
                raise KeyboardInterrupt

            if crash_in == "write_json":
                patch.setattr(Home, "write_json", crash)
            else:
                patch.setattr(ArtifactStore, "set_current", crash)
            with pytest.raises(KeyboardInterrupt):
                ingest(changed)
        current = Lake.open(Home(str(home_folder)))
        assert current.version == before.version
        current.artifact.verify()
    after = ingest(changed)
    assert Lake.open(Home(str(home_folder))).version == after.version
    after.artifact.verify()


@pytest.fixture
def bucket() -> Iterator[str]:
    """URL of an empty bucket on a real S3 endpoint, up to its name, and what must follow a path in it."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"s3://key:secret@shop/{{}}?endpoint_override={host}:{port}&scheme=http&region=us-east-1"
    filesystem, _ = pafs.FileSystem.from_uri(f"{url.format('home')}&allow_bucket_creation=true")
    filesystem.create_dir("shop")
    yield url
    server.stop()


def test_days_without_a_new_event_are_copied_inside_the_store(tmp_path, bucket):
    exports = Exports(tmp_path / "exports")
    exports.write([event(id=str(n), day=n) for n in range(3)])
    ingest(exports.settings(bucket.format("home")))
    exports.write([event(id="late", day=1), event(id="0", day=7), event(id="new", day=3)])
    remote = ingest(exports.settings(bucket.format("home")), since_last=True)
    assert remote.artifact.metadata["build"]["days"] == {"new": 1, "merged": 1, "reused": 2}
    remote.artifact.verify()
    here = ingest(exports.settings(tmp_path))
    assert content_of(remote) == content_of(here)
    assert here.artifact.metadata["build"]["files"] == {"read": 2, "known": 0}


@pytest.mark.parametrize("code", NO_HARD_LINKS)
def test_on_a_disk_without_hard_links_days_are_copied(tmp_path, monkeypatch, code):
    exports = Exports(tmp_path / "exports")
    exports.write([event(id=str(n), day=n) for n in range(3)])
    before = ingest(exports.settings(tmp_path))

    def refuse(*_: object) -> None:
        raise OSError(code, "no links here")

    monkeypatch.setattr(os, "link", refuse)
    exports.write([event(id="new", day=3)])
    lake = ingest(exports.settings(tmp_path), since_last=True)
    lake.artifact.verify()
    for path, entry in before.artifact.metadata["files"].items():
        if path.startswith("events/"):
            assert lake.artifact.metadata["files"][path] == entry
            assert not os.path.samefile(lake.artifact.at(path), before.artifact.at(path))


def test_a_full_disk_while_days_are_reused_leaves_the_lake_before(tmp_path, monkeypatch):
    exports = Exports(tmp_path / "exports")
    exports.write([event(id=str(n), day=n) for n in range(3)])
    before = ingest(exports.settings(tmp_path))
    exports.write([event(id="new", day=3)])
    with monkeypatch.context() as patch:

        def full(*_: object) -> None:
            raise OSError(errno.ENOSPC, "full")

        patch.setattr(os, "link", full)
        with pytest.raises(StorageError, match="No space left"):
            ingest(exports.settings(tmp_path), since_last=True)
    assert Lake.open(Home(str(tmp_path))).version == before.version
    before.artifact.verify()
    again = ingest(exports.settings(tmp_path), since_last=True)
    assert again.artifact.metadata["build"]["of"] == before.version
    again.artifact.verify()
    before.artifact.verify()


def test_sources_and_home_may_be_in_s3(home_folder, bucket):
    local = bring_shop(home_folder, events=shop_events(rows=300))
    filesystem, _ = pafs.FileSystem.from_uri(bucket.format("tables"))
    pafs.copy_files(str(home_folder), "shop/tables", destination_filesystem=filesystem)
    data = local.data.model_dump()
    data["events"][0]["path"] = bucket.format("tables/events.parquet")
    data["items"][0]["path"] = bucket.format("tables/items.parquet")
    remote = ingest(Settings(name="shop", home=bucket.format("home"), data=data))
    here = ingest(local)
    assert Lake.open(Home(bucket.format("home"))).version == remote.version
    assert remote.artifact.metadata["counts"] == here.artifact.metadata["counts"]
    assert remote.items().equals(here.items())
    assert remote.days() == here.days()
    assert remote.events().count() == here.events().count()
    remote.artifact.verify()
