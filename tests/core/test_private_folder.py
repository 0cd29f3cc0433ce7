"""Temporary folders are their owner's alone and go with their process, however that ends."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from remora.core.private_folder import OWNER, PrivateFolder, abandoned, remove_abandoned, remove_own

MAKES_ONE = """
import sys
from remora.core.private_folder import PrivateFolder
print(PrivateFolder.make(sys.argv[1]).path, flush=True)
sys.stdin.read()
"""


def process_with_a_folder(parent: Path) -> tuple[subprocess.Popen[str], Path]:
    process = subprocess.Popen(
        [sys.executable, "-c", MAKES_ONE, str(parent)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def test_only_its_owner_may_enter_and_its_name_cannot_be_guessed(tmp_path: Path) -> None:
    folders = [PrivateFolder.make(tmp_path) for _ in range(2)]
    for folder in folders:
        assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
    assert len({folder.path for folder in folders}) == 2
    remove_own()
    assert list(tmp_path.iterdir()) == []


def test_a_process_that_ends_leaves_none(tmp_path: Path) -> None:
    process, folder = process_with_a_folder(tmp_path)
    assert folder.is_dir()
    process.communicate("")
    assert not folder.exists()


def test_what_a_killed_process_leaves_goes_when_the_next_folder_is_made(tmp_path: Path) -> None:
    process, folder = process_with_a_folder(tmp_path)
    remove_abandoned(tmp_path)
    assert folder.is_dir(), "its process lives"
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert list(abandoned(tmp_path)) == [folder]
    mine = PrivateFolder.make(tmp_path)
    assert list(tmp_path.iterdir()) == [mine.path]
    mine.remove()


def test_a_folder_that_is_handed_over_lasts_as_long_as_the_child(tmp_path: Path) -> None:
    folder = PrivateFolder.make(tmp_path)
    child = subprocess.Popen(
        [sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE, pass_fds=[folder.lock]
    )
    folder.hand_over()
    remove_own()
    remove_abandoned(tmp_path)
    assert folder.path.is_dir()
    child.communicate(b"")
    remove_abandoned(tmp_path)
    assert not folder.path.exists()


def test_a_forked_child_does_not_remove_what_is_its_parents(tmp_path: Path) -> None:
    folder = PrivateFolder.make(tmp_path)
    child = os.fork()
    if child == 0:
        remove_own()
        os._exit(0)
    os.waitpid(child, 0)
    assert folder.path.is_dir()
    folder.remove()


@pytest.mark.parametrize("kind", ["open to others", "a link", "being made"])
def test_what_may_be_anothers_is_left_alone(tmp_path: Path, kind: str) -> None:
    there, elsewhere = tmp_path / f"remora-{os.getuid()}-x", tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    (elsewhere / OWNER).touch()
    if kind == "a link":
        there.symlink_to(elsewhere)
    else:
        there.mkdir(mode=0o777 if kind == "open to others" else 0o700)
        there.chmod(0o777 if kind == "open to others" else 0o700)
        if kind == "open to others":
            (there / OWNER).touch()
    remove_abandoned(tmp_path)
    assert there.exists()
    assert (elsewhere / OWNER).exists()
