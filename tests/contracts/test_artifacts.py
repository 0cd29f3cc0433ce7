from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from remora.contracts.artifacts import Artifact, ArtifactStore, fingerprint
from remora.contracts.errors import ChecksumMismatch, NotBuilt, StorageError
from remora.contracts.home import Home


@pytest.fixture
def shelf(home_folder: Path) -> ArtifactStore:
    return ArtifactStore(Home(str(home_folder)), "lake", "remora data ingest")


def put(shelf: ArtifactStore, version: str, text: str = "content") -> Artifact:
    draft = shelf.draft(version)
    shelf.home.write_bytes(f"{draft.folder}/sub/data.txt", text.encode())
    return shelf.publish(draft, rows=1)


def test_before_the_first_version_the_error_names_the_command(shelf: ArtifactStore) -> None:
    with pytest.raises(NotBuilt, match="Run `remora data ingest` first"):
        shelf.current()


def test_a_published_version_is_current_and_carries_its_report(shelf: ArtifactStore) -> None:
    put(shelf, "one")
    current = shelf.current()
    assert (current.version, current.metadata["rows"]) == ("one", 1)
    assert current.read_bytes("sub/data.txt") == b"content"
    current.verify()


@pytest.mark.parametrize("crash_in", ["flush", "rename", "point"])
def test_a_crash_between_two_writes_leaves_the_old_version(
    shelf: ArtifactStore, monkeypatch: pytest.MonkeyPatch, crash_in: str
) -> None:
    put(shelf, "one", "old")

    def crash(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(ArtifactStore if crash_in == "point" else Home, crash_in, crash)
        with pytest.raises(KeyboardInterrupt):
            put(shelf, "two", "new")
    assert shelf.current().read_bytes("sub/data.txt") == b"old"
    assert put(shelf, "two", "new").read_bytes("sub/data.txt") == b"new"
    assert shelf.current().version == "two"


def test_a_full_disk_says_so_and_keeps_what_was_there(shelf: ArtifactStore, monkeypatch: pytest.MonkeyPatch) -> None:
    put(shelf, "one", "old")

    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        with pytest.raises(StorageError, match="No space left while writing"):
            put(shelf, "two", "new")
    assert shelf.current().read_bytes("sub/data.txt") == b"old"
    assert not list(Path(shelf.home.at()).rglob(".data.txt.*")), "a file written aside was left behind"


def test_a_changed_byte_is_found(shelf: ArtifactStore) -> None:
    artifact = put(shelf, "one")
    Path(artifact.at("sub/data.txt")).write_bytes(b"c0ntent")
    with pytest.raises(ChecksumMismatch, match=r"sub/data\.txt"):
        artifact.verify()


def test_a_draft_starts_empty_and_is_no_version_whatever_an_interrupted_try_left(shelf: ArtifactStore) -> None:
    draft = shelf.draft("one")
    shelf.home.write_bytes(f"{draft.folder}/left.txt", b"x")
    assert shelf.home.files(shelf.draft("one").folder) == []
    assert shelf.find("one") is None


def test_two_writers_of_one_version_end_with_one_good_version(shelf: ArtifactStore) -> None:
    first, second = shelf.draft("one"), shelf.draft("one")
    for draft, text in ((first, b"first"), (second, b"second")):
        shelf.home.write_bytes(f"{draft.folder}/data.txt", text)
    shelf.publish(first)
    shelf.publish(second)
    made = shelf.current()
    assert made.read_bytes("data.txt") == b"second"
    assert list(made.metadata["files"]) == ["data.txt"], "the metadata lists itself"
    made.verify()
    assert shelf.home.folders("lake/drafts") == []


def test_many_writers_of_one_version_at_once_end_with_one_good_version(shelf: ArtifactStore) -> None:
    def write(number: int) -> None:
        put(shelf, "one", f"content {number}")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(40)))
    shelf.current().verify()
    assert shelf.home.folders("lake/versions") == ["one"]
    assert shelf.home.folders("lake/drafts") == []


def test_a_fingerprint_depends_on_every_input() -> None:
    assert fingerprint(a=1) != fingerprint(a=2)
    assert fingerprint(a=1) != fingerprint(b=1)
    assert len(fingerprint(a=[1, {"b": None}])) == 16
