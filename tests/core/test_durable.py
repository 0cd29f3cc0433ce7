"""What a power cut or a broken stream leaves: the old content or the new, never a part."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pyarrow.fs as pafs
import pytest

from remora.core.artifacts import ArtifactStore
from remora.core.errors import StorageError
from remora.core.home import Home, uploading
from remora.settings import DataSettings, EventTypeSettings, Settings, SourceSettings, activate


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What was asked of the disk, in order: ("flushed", path) and ("renamed", path)."""
    asked: list[tuple[str, str]] = []
    fsync, replace, rename = os.fsync, os.replace, os.rename

    def flushed(handle: int) -> None:
        asked.append(("flushed", os.readlink(f"/proc/self/fd/{handle}")))
        fsync(handle)

    def replaced(source: str, target: str) -> None:
        replace(source, target)
        asked.append(("renamed", str(target)))

    def renamed(source: str, target: str) -> None:
        rename(source, target)
        asked.append(("renamed", str(target)))

    monkeypatch.setattr(os, "fsync", flushed)
    monkeypatch.setattr(os, "replace", replaced)
    monkeypatch.setattr(os, "rename", renamed)
    return asked


def test_a_file_is_on_the_disk_before_its_name_and_its_name_before_the_write_ends(
    home_folder: Path, disk: list[tuple[str, str]]
) -> None:
    Home(str(home_folder)).write_bytes("serving/traffic.json", b"{}")
    folder = home_folder / "serving"
    aside, renamed, named = disk
    assert aside[0] == "flushed"
    assert aside[1].startswith(f"{folder}/.traffic.json.")
    assert renamed == ("renamed", f"{folder}/traffic.json")
    assert named == ("flushed", str(folder))


def test_a_version_is_on_the_disk_before_its_name_and_its_name_before_the_pointer(
    home_folder: Path, disk: list[tuple[str, str]]
) -> None:
    artifacts = ArtifactStore(Home(str(home_folder)), "lake", "remora data ingest")
    staging = artifacts.staging("one")
    events = Path(artifacts.home.make_folder(f"{staging.folder}/events")) / "all.parquet"
    events.write_bytes(b"rows")
    artifacts.commit(staging)
    versions = home_folder / "lake" / "versions"
    named = disk.index(("renamed", f"{versions}/one"))
    for path in (events, events.parent, Path(staging.at()), Path(staging.at("metadata.json"))):
        assert ("flushed", str(path)) in disk[:named]
    assert ("flushed", str(versions)) in disk[named : disk.index(("renamed", f"{home_folder}/lake/CURRENT"))]


@pytest.mark.parametrize("broken", ["fsync", "replace"])
def test_the_settings_of_a_home_are_the_old_or_the_new_and_only_their_owner_reads_them(
    home_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    monkeypatch.chdir(tmp_path)
    source = SourceSettings(path="events.csv", format="csv", columns={"user_id": "u"}, event_type="like")
    data = DataSettings(events=(source,), event_types={"like": EventTypeSettings()})
    settings = Settings(name="shop", home=str(home_folder), data=data)
    activate(settings)
    file = home_folder / "settings.yaml"
    before = file.read_bytes()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600

    def fails(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, broken, fails)
        with pytest.raises(StorageError, match="No space left"):
            activate(settings.model_copy(update={"name": "other"}))
    assert file.read_bytes() == before


def test_an_upload_whose_source_breaks_leaves_no_object(tmp_path: Path) -> None:
    store, path = pafs.LocalFileSystem(), str(tmp_path / "object")

    def broken() -> None:
        with uploading(store, path) as sink:
            sink.write(b"the first half")
            raise ConnectionError("the source is gone")

    with pytest.raises(ConnectionError):
        broken()
    assert not Path(path).exists()
    with uploading(store, path) as sink:
        sink.write(b"all of it")
    assert Path(path).read_bytes() == b"all of it"
