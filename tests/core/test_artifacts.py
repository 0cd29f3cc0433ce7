from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from remora.core.artifacts import Artifact, ArtifactStore, fingerprint
from remora.core.errors import ChecksumMismatch, NotBuilt, StorageError
from remora.core.home import Home


@pytest.fixture
def artifacts(home_folder: Path) -> ArtifactStore:
    return ArtifactStore(Home(str(home_folder)), "lake", "remora data ingest")


def put(artifacts: ArtifactStore, version: str, text: str = "content") -> Artifact:
    staging = artifacts.staging(version)
    artifacts.home.write_bytes(f"{staging.folder}/sub/data.txt", text.encode())
    return artifacts.commit(staging, rows=1)


def test_before_the_first_version_the_error_names_the_command(artifacts: ArtifactStore) -> None:
    with pytest.raises(NotBuilt, match="Run `remora data ingest` first"):
        artifacts.current()


def test_a_committed_version_is_current_and_carries_its_report(artifacts: ArtifactStore) -> None:
    put(artifacts, "one")
    current = artifacts.current()
    assert (current.version, current.metadata["rows"]) == ("one", 1)
    assert current.read_bytes("sub/data.txt") == b"content"
    current.verify()


@pytest.mark.parametrize("crash_in", ["flush", "rename", "set_current"])
def test_a_crash_between_two_writes_leaves_the_old_version(
    artifacts: ArtifactStore, monkeypatch: pytest.MonkeyPatch, crash_in: str
) -> None:
    put(artifacts, "one", "old")

    def crash(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(ArtifactStore if crash_in == "set_current" else Home, crash_in, crash)
        with pytest.raises(KeyboardInterrupt):
            put(artifacts, "two", "new")
    assert artifacts.current().read_bytes("sub/data.txt") == b"old"
    assert put(artifacts, "two", "new").read_bytes("sub/data.txt") == b"new"
    assert artifacts.current().version == "two"


def test_a_full_disk_says_so_and_keeps_what_was_there(
    artifacts: ArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(artifacts, "one", "old")

    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        with pytest.raises(StorageError, match="No space left while writing"):
            put(artifacts, "two", "new")
    assert artifacts.current().read_bytes("sub/data.txt") == b"old"
    assert not list(Path(artifacts.home.at()).rglob(".data.txt.*")), "a file written aside was left behind"


def test_a_changed_byte_is_found(artifacts: ArtifactStore) -> None:
    artifact = put(artifacts, "one")
    Path(artifact.at("sub/data.txt")).write_bytes(b"c0ntent")
    with pytest.raises(ChecksumMismatch, match=r"sub/data\.txt"):
        artifact.verify()


def test_a_staging_folder_starts_empty_and_is_no_version_whatever_an_interrupted_try_left(
    artifacts: ArtifactStore,
) -> None:
    staging = artifacts.staging("one")
    artifacts.home.write_bytes(f"{staging.folder}/left.txt", b"x")
    assert artifacts.home.files(artifacts.staging("one").folder) == []
    assert artifacts.find("one") is None


def test_two_writers_of_one_version_end_with_one_good_version(artifacts: ArtifactStore) -> None:
    first, second = artifacts.staging("one"), artifacts.staging("one")
    for staging, text in ((first, b"first"), (second, b"second")):
        artifacts.home.write_bytes(f"{staging.folder}/data.txt", text)
    artifacts.commit(first)
    artifacts.commit(second)
    made = artifacts.current()
    assert made.read_bytes("data.txt") == b"second"
    assert list(made.metadata["files"]) == ["data.txt"], "the metadata lists itself"
    made.verify()
    assert artifacts.home.folders("lake/staging") == []


def test_many_writers_of_one_version_at_once_end_with_one_good_version(artifacts: ArtifactStore) -> None:
    def write(number: int) -> None:
        put(artifacts, "one", f"content {number}")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(40)))
    artifacts.current().verify()
    assert artifacts.home.folders("lake/versions") == ["one"]
    assert artifacts.home.folders("lake/staging") == []


def test_a_fingerprint_depends_on_every_input() -> None:
    assert fingerprint(a=1) != fingerprint(a=2)
    assert fingerprint(a=1) != fingerprint(b=1)
    assert len(fingerprint(a=[1, {"b": None}])) == 16
