"""A bundle goes from home to home as one file, and nothing of a bad file gets in."""

from __future__ import annotations

import errno
import io
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from tests.registry import releases

from remora.core.errors import (
    ChecksumMismatch,
    MissingInput,
    Refused,
    RemoraError,
    StorageError,
    UnreadableInput,
    UnsupportedFormat,
)
from remora.registry.archive import Archive
from remora.registry.bundles import Bundles
from remora.registry.manifest import FileEntry, Manifest
from remora.settings import Settings

Member = tuple[tarfile.TarInfo, bytes]


@pytest.fixture
def exported(bundles: Bundles, tmp_path: Path) -> Path:
    """A file that holds a bundle; the home has none."""
    built = releases.build(bundles)
    bundles.export(built.id, tmp_path / "shop.tar")
    bundles.gc(keep=0, delete=True)
    return tmp_path / "shop.tar"


@pytest.fixture
def other(bundles: Bundles, settings: Settings, tmp_path: Path) -> Bundles:
    """The registry of another home, with a database of its own."""
    home = tmp_path / "other"
    database = Path(settings.home, "mlflow/mlflow.db").read_bytes()
    (home / "mlflow").mkdir(parents=True)
    (home / "mlflow/mlflow.db").write_bytes(database)
    return Bundles(settings.model_copy(update={"home": str(home)}))


def rewritten(file: Path, change: Callable[[list[Member]], list[Member]]) -> Path:
    """The same archive with other members."""
    with tarfile.open(file) as tar:
        members = [(info, content.read()) for info in tar if (content := tar.extractfile(info))]
    with tarfile.open(file, "w") as tar:
        for info, content in change(members):
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return file


def plus(name: str, content: bytes = b"evil", kind: bytes = tarfile.REGTYPE) -> Callable[[list[Member]], list[Member]]:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, "/etc/passwd"
    return lambda members: [*members, (info, content if kind == tarfile.REGTYPE else b"")]


def replaced(suffix: str, old: bytes, new: bytes) -> Callable[[list[Member]], list[Member]]:
    return lambda members: [(i, c.replace(old, new) if i.name.endswith(suffix) else c) for i, c in members]


def test_a_bundle_is_the_same_in_another_home(bundles: Bundles, other: Bundles, tmp_path: Path) -> None:
    built = releases.build(bundles)
    bundles.export(built.id, tmp_path / "shop.tar")
    taken = other.import_(tmp_path / "shop.tar")
    assert taken.id == built.id
    assert other.open(taken.id).manifest == built.manifest
    other.promote(taken.id, by="ann", why="from the other home")
    assert other.import_(tmp_path / "shop.tar").id == built.id  # again is nothing


def test_the_same_bundle_is_the_same_file(bundles: Bundles, tmp_path: Path) -> None:
    built = releases.build(bundles)
    for name in ("one.tar", "two.tar"):
        bundles.export(built.id, tmp_path / name)
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()


def test_a_damaged_bundle_is_not_exported_and_is_mended_by_an_import(bundles: Bundles, tmp_path: Path) -> None:
    built = releases.build(bundles)
    bundles.export(built.id, tmp_path / "shop.tar")
    Path(built.at("ranker.ubj")).write_bytes(b"half a boo")
    with pytest.raises(ChecksumMismatch, match=r"ranker\.ubj"):
        bundles.export(built.id, tmp_path / "damaged.tar")
    assert not (tmp_path / "damaged.tar").exists()
    bundles.import_(tmp_path / "shop.tar")
    bundles.open(built.id)


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        (replaced("ranker.ubj", b"booster", b"trojan!"), ChecksumMismatch, r"ranker\.ubj"),
        (replaced("ranker.ubj", b"booster", b"boo"), ChecksumMismatch, r"ranker\.ubj.*5 bytes of 9"),
        (replaced("manifest.json", b"home_feed", b"admin_feed"), ChecksumMismatch, r"manifest\.json"),
        (replaced("manifest.json", b'"format": 7', b'"format": 6'), UnsupportedFormat, r"format 6; .* reads format 7"),
        (replaced("manifest.json", b"{", b"["), ChecksumMismatch, "no JSON"),
        (lambda members: members[:-1], UnreadableInput, r"ends before 'vocabulary\.parquet'.*[Cc]opy the file again"),
        (lambda members: members[1:], Refused, "no exported bundle"),
        (lambda members: [*members, members[-1]], Refused, "not in its manifest"),
        (plus("../../lake/CURRENT"), Refused, "outside the bundle"),
        (plus("/etc/cron.d/evil"), Refused, "outside the bundle"),
        (plus("loose.json"), Refused, "outside the bundle"),
        (lambda members: plus(members[0][0].name.replace("manifest", "unlisted"))(members), Refused, "not in its man"),
        (plus("link", kind=tarfile.SYMTYPE), Refused, "no plain file"),
        (plus("link", kind=tarfile.LNKTYPE), Refused, "no plain file"),
        (plus("pipe", kind=tarfile.FIFOTYPE), Refused, "no plain file"),
    ],
)
def test_a_bad_file_is_refused_and_the_home_is_as_before(
    other: Bundles,
    exported: Path,
    change: Callable[[list[Member]], list[Member]],
    error: type[RemoraError],
    says: str,
) -> None:
    before = other.home.files("")
    with pytest.raises(error, match=says):
        other.import_(rewritten(exported, change))
    assert other.home.files("") == before
    assert other.list() == []


def test_a_file_of_a_bundle_that_leaves_it_is_refused(other: Bundles, exported: Path) -> None:
    evil = b"evil"
    for path in ("../../lake/x.json", "a/../b.json", "run.pkl", "manifest.json"):
        manifest = Manifest(surfaces=(), files={path: FileEntry(sha256="0" * 64, bytes=len(evil))})
        named = tarfile.TarInfo(f"{manifest.id}/manifest.json")
        bad = (tarfile.TarInfo(f"{manifest.id}/{path}"), evil)
        rewritten(exported, lambda _, m=manifest, n=named, b=bad: [(n, m.canonical), b])  # type: ignore[misc]
        with pytest.raises(Refused, match="A bundle cannot hold"):
            other.import_(exported)
    assert other.list() == []


def test_a_bundle_under_another_ones_id_is_refused(other: Bundles, exported: Path) -> None:
    def renamed(members: list[Member]) -> list[Member]:
        for info, _ in members:
            info.name = "0123456789abcdef" * 2 + "/" + info.name.partition("/")[2]
        return members

    with pytest.raises(ChecksumMismatch, match="0123456789abcdef"):
        other.import_(rewritten(exported, renamed))
    assert other.list() == []


def test_what_is_no_archive_or_not_there_says_so(other: Bundles, tmp_path: Path) -> None:
    with pytest.raises(MissingInput, match="remora bundle export"):
        other.import_(tmp_path / "never.tar")
    for content in (b"", b"PK\3\4 a zip", os.urandom(2048)):
        (tmp_path / "odd.tar").write_bytes(content)
        with pytest.raises(UnreadableInput, match="Copy the file again"):
            other.import_(tmp_path / "odd.tar")


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.data())
def test_a_file_that_was_cut_anywhere_is_refused(exported: Path, data: st.DataObject) -> None:
    whole = exported.read_bytes()
    last = Archive.read(exported)
    end = max(offset + size for offset, size in last.offsets.values())
    cut = exported.with_name("cut.tar")
    cut.write_bytes(whole[: data.draw(st.integers(0, end - 1))])
    with pytest.raises(UnreadableInput):
        Archive.read(cut)


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(st.data())
def test_a_file_with_any_byte_changed_is_refused_or_holds_the_same_bundle(exported: Path, data: st.DataObject) -> None:
    whole = bytearray(exported.read_bytes())
    place = data.draw(st.integers(0, len(whole) - 1))
    whole[place] ^= 1 << data.draw(st.integers(0, 7))
    changed = exported.with_name("changed.tar")
    changed.write_bytes(whole)
    try:
        found = Archive.read(changed)
    except RemoraError:
        return
    assert found.manifest == Archive.read(exported).manifest
    for name, opened in found.contents.items():
        with opened() as file:  # type: ignore[operator, union-attr]
            assert len(file.read(1 << 20)) == found.manifest.files[name].bytes


def test_a_disk_that_fills_during_an_import_leaves_the_home_as_it_was(
    other: Bundles, exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = releases.build(other, b"another")
    before = other.home.files("")
    write = os.fsync

    def full(handle: int) -> None:
        if b"ranker" in os.readlink(f"/proc/self/fd/{handle}").encode():
            raise OSError(errno.ENOSPC, "No space left on device")
        write(handle)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match=r"No space left.*Free space and run the command again"):
        other.import_(exported)
    assert other.home.files("") == before
    assert [b.id for b in other.list()] == [kept.id]
    monkeypatch.undo()
    other.open(other.import_(exported).id)


def test_a_disk_that_fills_during_an_export_leaves_the_file_that_was_there(
    bundles: Bundles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = releases.build(bundles)
    (tmp_path / "shop.tar").write_bytes(b"an older one")

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="No space left"):
        bundles.export(built.id, tmp_path / "shop.tar")
    assert (tmp_path / "shop.tar").read_bytes() == b"an older one"
    assert [file.name for file in tmp_path.iterdir() if file.is_file()] == ["shop.tar"]
