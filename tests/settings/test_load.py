from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from remora.core.errors import SettingsError, UnsupportedFormat
from remora.settings import activate, installed, load

ROOT = Path(__file__).parents[2]
LEAST = {
    "name": "shop",
    "data": {
        "events": [{"path": "e.csv", "format": "csv", "columns": {"user_id": "u"}, "event_type": "buy"}],
        "event_types": {"buy": {}},
    },
}


def write(folder: Path, values: object) -> Path:
    file = folder / "settings.yaml"
    file.write_text(yaml.safe_dump(values))
    return file


@pytest.mark.parametrize("file", sorted((ROOT / "config").glob("*.yaml")), ids=lambda f: f.stem)
def test_every_configuration_that_ships_is_valid(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # the checkout may have a home, of another format
    monkeypatch.delenv("REMORA_HOME", raising=False)
    monkeypatch.setenv("REMORA_BENCH_DATA", "/data")
    assert load(file).name == file.stem.replace("_", "-")


def test_the_least_configuration_has_a_home_of_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("REMORA_HOME", raising=False)
    assert load(write(tmp_path, LEAST)).home == str(tmp_path / ".remora" / "shop")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"nmae": 1}, "nmae: there is no such setting. Did you mean name?"),
        ({"split": {"retrieval": 0.9, "ranking": 0.05, "validation": 0.05}}, "must leave at least 0.01"),
        ({"serving": {"timeout_ms": 5_000}}, "timeout_ms 5000 is longer than max_timeout_ms 3000"),
        (
            {"serving": {"retrieval_deadline_fraction": 0.9}},
            "retrieval_deadline_fraction 0.9 is more than ranking_deadline_fraction 0.8",
        ),
        ({"retrieval": {"workers": 0}}, "retrieval.workers: Input should be greater than or equal to 1"),
        ({"data": {**LEAST["data"], "event_types": {"view": {}}}}, "event type 'buy' is not declared"),  # type: ignore[dict-item]
        ({"data": {**LEAST["data"], "event_types": {"buy": {"sign": 0}}}}, "nothing could be recommended"),  # type: ignore[dict-item]
    ],
)
def test_a_mistake_is_named_with_its_location(tmp_path: Path, change: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError) as raised:
        load(write(tmp_path, LEAST | change))
    assert message in str(raised.value)
    assert "settings.yaml" in str(raised.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"no settings file .*absent\.yaml"):
        load(tmp_path / "absent.yaml")


def test_without_a_file_the_home_used_last_is_meant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("REMORA_CONFIG", raising=False)
    monkeypatch.delenv("REMORA_HOME", raising=False)
    with pytest.raises(SettingsError, match="No home is active here"):
        load()
    settings = load(write(tmp_path, LEAST))
    activate(settings)
    assert load() == settings
    activate(settings)
    assert load() == settings


def test_a_home_that_is_named_has_its_own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("REMORA_CONFIG", raising=False)
    monkeypatch.setenv("REMORA_HOME", str(tmp_path / "there"))
    with pytest.raises(SettingsError, match=r"The home .*there of REMORA_HOME has no settings.yaml yet"):
        load()
    settings = load(write(tmp_path, LEAST))
    activate(settings)
    (tmp_path / ".remora" / "active").unlink()
    assert load() == settings


@pytest.mark.parametrize("written", ["4", "99", ""])
def test_a_home_of_another_format_is_refused_wherever_settings_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REMORA_HOME", str(tmp_path / "home"))
    file = write(tmp_path, LEAST)
    activate(load(file))
    (tmp_path / "home" / "format").write_text(written)
    with pytest.raises(UnsupportedFormat, match=rf"of format '{written}'; this version of Remora reads format '9'"):
        load(file)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"features": {"redis": "localhost:6379"}}, r"features.redis needs the package redis.*'remora\[redis\]'"),
        ({"tracking_uri": "postgresql://db/mlflow"}, r"tracking_uri needs the package psycopg.*'remora\[postgres\]'"),
        ({"features": {"registry": "mysql+pymysql://db/feast"}}, "features.registry needs .* pip install pymysql"),
    ],
)
def test_a_server_whose_client_is_not_installed_is_said_with_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, object], says: str
) -> None:
    monkeypatch.setattr(installed, "find_spec", lambda name: None)
    with pytest.raises(SettingsError, match=says):
        load(write(tmp_path, LEAST | changes))


def test_environment_variables_are_filled_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_HOME", "s3://bucket/shop")
    assert load(write(tmp_path, LEAST | {"home": "${SHOP_HOME}"})).home == "s3://bucket/shop"


def test_settings_need_no_heavy_library_whatever_retrieval_models_encoders_and_losses_they_name(
    tmp_path: Path,
) -> None:
    code = (
        "import sys; from remora.extensions import find, kinds, names; from remora.settings import load\n"
        "load(sys.argv[1])\n"
        "for kind in (kinds.RETRIEVAL_MODEL, kinds.HISTORY_ENCODER, kinds.LOSS):\n"
        "    assert [find(kind, name) for name in names(kind)]\n"
        "print(*{'ray', 'torch', 'feast', 'mlflow', 'faiss'} & sys.modules.keys())"
    )
    command = [sys.executable, "-c", code, str(write(tmp_path, LEAST))]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.split() == []
