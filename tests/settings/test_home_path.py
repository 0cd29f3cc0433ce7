"""Where a home may be, and what a command says where it may not."""

from __future__ import annotations

import logging
import os
import stat
from pathlib import Path

import pytest
import yaml

from remora.core.errors import SettingsError, StorageError, UnsupportedFormat
from remora.settings import Settings, activate, load

LEAST = {
    "name": "shop",
    "data": {
        "events": [{"path": "e.csv", "format": "csv", "columns": {"user_id": "u"}, "event_type": "buy"}],
        "event_types": {"buy": {}},
    },
}


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("REMORA_HOME", raising=False)
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "shop.yaml"
    file.write_text(yaml.safe_dump(LEAST))
    return file


def at(config: Path, home: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("REMORA_HOME", home)
    return load(config)


@pytest.mark.parametrize("name", ["a b", "söck", "a+b", "a,b", "a@b=c", "(1)", "a;b", "a&b", "~x", ".hidden", "1:2"])
def test_a_folder_with_an_odd_name_may_be_a_home(config: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = at(config, f"{config.parent}/{name}/home", monkeypatch)
    activate(settings)
    assert load(config).home == settings.home == str(config.parent / name / "home")


@pytest.mark.parametrize("name", ["a%20b", "what?", "c#", "*", "[x]", "{a,b}", "it's", 'a"b', "a\\b", "a\nb", "$HOME"])
def test_a_name_that_libraries_would_read_as_something_else_is_refused(
    config: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SettingsError, match="REMORA_HOME") as raised:
        at(config, f"{config.parent}/{name}/home", monkeypatch)
    assert "\n" not in str(raised.value)
    assert [one.name for one in config.parent.iterdir()] == ["shop.yaml"]


def test_a_file_is_no_home(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for home in (config, config / "below"):
        with pytest.raises(SettingsError, match=r"shop\.yaml is a file"):
            at(config, str(home), monkeypatch)
    (config.parent / "link").symlink_to(config.parent / "gone")
    assert at(config, str(config.parent / "link"), monkeypatch).home == str(config.parent / "gone")


def test_a_home_of_an_unknown_owner_is_refused(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match="has no absolute path"):
        at(config, "~no-such-user-here/home", monkeypatch)


def test_a_home_that_cannot_be_written_is_an_error_in_words(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = at(config, "/proc/remora", monkeypatch)
    with pytest.raises(StorageError, match="Cannot write /proc/remora"):
        activate(settings)


def test_in_a_folder_that_cannot_be_written_a_command_works_and_the_home_is_not_remembered(
    config: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    settings = at(config, str(config.parent / "home"), monkeypatch)
    monkeypatch.chdir("/proc")
    monkeypatch.setattr(logging.getLogger("remora"), "propagate", True)
    with caplog.at_level("WARNING"):
        activate(settings)
    assert "is not remembered" in caplog.text
    assert "REMORA_CONFIG" in caplog.text
    assert (config.parent / "home" / "settings.yaml").exists()


def test_the_settings_of_a_home_are_its_owner_s_and_are_replaced_whole(config: Path) -> None:
    settings = load(config)
    activate(settings)
    file = Path(settings.home, "settings.yaml")
    first = file.stat()
    assert stat.S_IMODE(first.st_mode) == 0o600
    activate(settings)
    assert file.stat().st_ino != first.st_ino
    assert sorted(os.listdir(settings.home)) == ["format", "settings.yaml"]


def test_a_home_that_was_moved_is_the_one_that_is_named(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    activate(at(config, str(config.parent / "old"), monkeypatch))
    (config.parent / "old").rename(config.parent / "new")
    monkeypatch.setenv("REMORA_HOME", str(config.parent / "new"))
    assert load(config.parent / "new" / "settings.yaml").home == str(config.parent / "new")


@pytest.mark.parametrize("format", [None, b"3", b"99", b"", b"\xff\x00"])
def test_a_home_of_another_version_is_refused_and_left_as_it_is(config: Path, format: bytes | None) -> None:
    settings = load(config)
    activate(settings)
    written = Path(settings.home, "format")
    written.unlink()
    if format is not None:
        written.write_bytes(format)
    before = sorted(os.listdir(settings.home))
    with pytest.raises(UnsupportedFormat, match=r"reads format '9'.* remove it and build it again"):
        activate(settings)
    assert sorted(os.listdir(settings.home)) == before
