from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest
import yaml

from remora.core.errors import SettingsError
from remora.settings import Settings, activate, load

SECRET = "hunter2-and-more"
LEAST: dict[str, Any] = {
    "name": "shop",
    "data": {
        "events": [{"path": "e.csv", "format": "csv", "columns": {"user_id": "u"}, "event_type": "buy"}],
        "event_types": {"buy": {}},
    },
}


def written(folder: Path, **changes: Any) -> Path:
    file = folder / "shop.yaml"
    file.write_text(yaml.safe_dump(LEAST | {"home": str(folder / "home")} | changes))
    return file


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("REMORA_CONFIG", raising=False)
    monkeypatch.delenv("REMORA_HOME", raising=False)
    monkeypatch.setenv("SHOP_SECRET", SECRET)
    monkeypatch.delenv("SHOP_NOTHING", raising=False)


def test_a_variable_that_is_not_set_is_an_error_with_its_name_and_place(tmp_path: Path) -> None:
    file = written(tmp_path, features={"redis": "redis:6379,password=${SHOP_NOTHING}"})
    with pytest.raises(SettingsError, match=r"shop\.yaml: features\.redis: .*variable SHOP_NOTHING is not set"):
        load(file)


def test_a_variable_in_a_comment_is_nothing(tmp_path: Path) -> None:
    file = written(tmp_path)
    file.write_text(f"# redis: ${{SHOP_NOTHING}}\n{file.read_text()}")
    assert load(file).name == "shop"


@pytest.mark.parametrize("value", ["a: b", "#x", "'", '"', "{", "*a", "- a", "yes", "1", "p$d", "${SHOP_NOTHING}"])
def test_a_variable_means_its_text_whatever_is_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("SHOP_SECRET", value)
    assert load(written(tmp_path, features={"redis": "${SHOP_SECRET}"})).features.redis == value


def test_a_number_may_be_a_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_PORT", "8123")
    settings = load(written(tmp_path, serving={"port": "${SHOP_PORT}"}))
    assert settings.serving.port == 8123
    activate(settings)
    assert "${SHOP_PORT}" in (tmp_path / "home" / "settings.yaml").read_text()
    assert load() == settings


def test_what_a_file_holds_is_filled_in_and_the_reference_is_what_is_written_down(tmp_path: Path) -> None:
    secret = tmp_path / "redis-password"
    secret.write_text(f"{SECRET}\n")
    settings = load(written(tmp_path, features={"redis": f"redis:6379,password=${{file:{secret}}}"}))
    assert settings.features.redis == f"redis:6379,password={SECRET}"
    activate(settings)
    text = (tmp_path / "home" / "settings.yaml").read_text()
    assert SECRET not in text
    assert f"${{file:{secret}}}" in text
    assert load() == settings


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("${file:secret}", "needs an absolute path"),
        ("${file:/no/such/secret}", r"'/no/such/secret' cannot be read: No such file"),
        ("${}", "is no reference"),
        ("${A B}", "is no reference"),
    ],
)
def test_a_reference_that_means_nothing_is_an_error(tmp_path: Path, reference: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        load(written(tmp_path, features={"redis": reference}))


def test_a_doubled_dollar_is_the_text_itself(tmp_path: Path) -> None:
    settings = load(written(tmp_path, features={"redis": "redis:6379,password=$${NAME}"}))
    assert settings.features.redis == "redis:6379,password=${NAME}"
    activate(settings)
    assert load() == settings


def test_the_active_home_keeps_references_in_every_place(tmp_path: Path) -> None:
    settings = load(
        written(
            tmp_path,
            features={"redis": "redis:6379,password=${SHOP_SECRET}", "registry": "postgresql://u:${SHOP_SECRET}@db/x"},
            tracking_uri="https://u:${SHOP_SECRET}@mlflow",
            registry={"lock_url": "postgresql://u:${SHOP_SECRET}@db/x"},
            retraining={"alert_webhook": "https://hooks.example.org/${SHOP_SECRET}"},
        )
    )
    activate(settings)
    assert SECRET not in (tmp_path / "home" / "settings.yaml").read_text()
    assert load() == settings


def test_a_setting_that_was_changed_since_is_written_as_it_is(tmp_path: Path) -> None:
    settings = load(written(tmp_path, features={"redis": "${SHOP_SECRET}"}))
    features = settings.features.model_copy(update={"redis": "elsewhere:6379"})
    activate(settings.model_copy(update={"features": features}))
    assert load().features.redis == "elsewhere:6379"


def test_settings_are_printed_without_credentials() -> None:
    settings = Settings.model_validate(
        LEAST
        | {
            "home": f"s3://key:{SECRET}@lake/shop",
            "features": {"redis": f"redis:6379,password={SECRET}", "registry": f"postgresql://u:{SECRET}@db/x"},
            "tracking_uri": f"https://u:{SECRET}@mlflow",
            "registry": {"lock_url": f"postgresql://u:{SECRET}@db/x"},
            "retraining": {"alert_webhook": f"https://hooks.example.org/{SECRET}"},
        }
    )
    assert SECRET not in f"{settings} {settings!r}"


def test_a_new_home_is_its_owners_alone(tmp_path: Path) -> None:
    activate(load(written(tmp_path)))
    home = tmp_path / "home"
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert stat.S_IMODE((home / "settings.yaml").stat().st_mode) == 0o600


def test_a_home_of_before_is_closed_to_others_and_a_shared_folder_is_left_alone(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "else").touch()
    home.chmod(0o755)
    activate(load(written(tmp_path)))
    assert stat.S_IMODE(home.stat().st_mode) == 0o755
    activate(load(written(tmp_path)))
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
