from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from mlflow import MlflowClient
from tests.registry import releases
from typer.testing import CliRunner

from remora.cli.bundle import app
from remora.cli.main import app as remora
from remora.core.errors import BadRequest, NotBuilt
from remora.registry.bundles import Bundles
from remora.registry.tracking import tracking_uri
from remora.settings import Settings, load

DATA = {
    "events": [{"path": "events.csv", "format": "csv", "columns": {"user_id": "u"}, "event_type": "like"}],
    "event_types": {"like": {}},
}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "shop.yaml"
    file.write_text(yaml.safe_dump({"name": "shop", "home": str(tmp_path / "home"), "data": DATA}))
    return file


@pytest.fixture
def settings(config: Path) -> Settings:
    return load(config)


def said(*arguments: str) -> str:
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_a_bundle_is_listed_promoted_and_shown_for_people_and_for_machines(config: Path, settings: Settings) -> None:
    option = ("--config", str(config))
    assert "no bundle yet" in said("list", *option)
    built = releases.build(Bundles(settings))
    promoted = json.loads(said("promote", built.id, "--force", "--why", "[first]", "--by", "ann", "--json", *option))
    assert (promoted["bundle"], promoted["previous"], promoted["by"]) == (built.id, None, "ann")
    assert [b["aliases"] for b in json.loads(said("list", "--json", *option))["bundles"]] == [["production"]]
    assert json.loads(said("show", "--json", *option))["files"]["ranker.ubj"]["bytes"] == 9
    shown = said("show", "production", *option)
    assert "Model card: shop" in shown
    assert "ranker.ubj" in shown
    assert promoted["why"] == "[first] (forced over: gates that were not run)"
    assert "[first]" in said("history", *option)
    assert "production" in said("list", *option)


def test_what_is_not_promoted_cannot_be_shown(config: Path) -> None:
    with pytest.raises(NotBuilt, match="remora bundle build"):
        said("show", "production", "--config", str(config))


def failed(*arguments: str) -> str:
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 1
    return result.stdout


def test_what_changed_is_said_as_a_table_and_as_json(config: Path, settings: Settings) -> None:
    option = ("--config", str(config))
    one, two = (releases.build(Bundles(settings), model) for model in (b"one", b"three"))
    drawn = said("diff", one.id, two.id, *option)
    assert "ranker.ubj" in drawn
    assert "(5 bytes)" in drawn
    changed = json.loads(said("diff", one.id, two.id, "--json", *option))
    assert [(c["part"], c["name"]) for c in changed["changed"]] == [("files", "ranker.ubj")]
    assert "hold the same" in said("diff", one.id, one.id, *option)


def test_production_is_rolled_back_by_a_command_of_its_own(config: Path, settings: Settings) -> None:
    bundles = Bundles(settings)
    one, two = (releases.build(bundles, model).id for model in (b"one", b"two"))
    for id in (one, two):
        bundles.promote(id, by="ann", why="next", evidence={"gates": "passed"})
    option = ["--config", str(config)]
    result = CliRunner().invoke(remora, ["rollback", "--why", "worse", "--by", "bob", *option], catch_exceptions=False)
    assert f"production was {two} and is {one}" in result.stdout
    history = json.loads(said("history", "--json", *option))["promotions"]
    assert [(p["kind"], p["by"], p["evidence"]) for p in history[1:]] == [
        ("promotion", "ann", {"gates": "passed"}),
        ("rollback", "bob", None),
    ]
    assert "rollback" in said("history", *option)


def test_a_bundle_is_signed_exported_collected_and_imported(config: Path, settings: Settings, tmp_path: Path) -> None:
    option = ("--config", str(config))
    built = releases.build(Bundles(settings))
    key, tar = tmp_path / "release.pem", tmp_path / "shop.tar"
    made = said("keygen", str(key))
    assert yaml.safe_load(made.partition("In the settings:")[2])["registry"]["signing_key"] == str(key)
    assert "is signed by key" in said("sign", built.id, "--key", str(key), *option)
    assert json.loads(said("export", built.id, "-o", str(tar), "--json", *option))["bytes"] == tar.stat().st_size
    assert f"bundle {built.id}" in said("gc", "--keep", "0", *option)
    assert json.loads(said("gc", "--keep", "0", "--delete", "--json", *option))["deleted"]
    assert "every bundle is in use" in said("gc", "--keep", "0", *option)
    assert f"remora bundle promote {built.id}" in said("import", str(tar), *option)
    assert json.loads(said("list", "--json", *option))["bundles"][0]["signed"]


def test_what_would_be_refused_is_named_and_fails_the_command(config: Path, settings: Settings) -> None:
    option = ("--config", str(config))
    good, bad = (releases.build(Bundles(settings), model) for model in (b"good", b"bad"))
    assert f"{good.id}: as its manifest says" in said("verify", *option)
    Path(bad.at("ranker.ubj")).write_bytes(b"???")
    found = {b["name"]: b["ok"] for b in json.loads(failed("verify", "--json", *option))["bundles"]}
    assert found == {good.id: True, bad.id: False}
    Path(bad.at("manifest.json")).write_bytes(b"{}")
    assert "refused" in said("list", *option)


def test_the_model_card_is_written_as_a_page(config: Path, settings: Settings, tmp_path: Path) -> None:
    built = releases.build(Bundles(settings))
    said("show", built.id, "--html", str(tmp_path / "card.html"), "--config", str(config))
    assert (tmp_path / "card.html").read_text().startswith("<!doctype html>")


def test_without_gates_nothing_comes_into_production_and_force_needs_a_reason(config: Path, settings: Settings) -> None:
    built = releases.build(Bundles(settings))
    with pytest.raises(NotBuilt, match="remora data ingest"):
        said("promote", built.id, "--config", str(config))
    with pytest.raises(BadRequest, match="--why REASON"):
        said("promote", built.id, "--force", "--why", "  ", "--config", str(config))
    assert Bundles(settings).history() == ()


def test_a_candidate_passes_no_gate_on_its_way(config: Path, settings: Settings) -> None:
    built = releases.build(Bundles(settings))
    said("promote", built.id, "--alias", "candidate", "--config", str(config))
    assert Bundles(settings).resolve("candidate") == built.id


def test_an_alias_that_was_moved_by_hand_is_named_in_the_list_the_history_and_the_status_and_restored(
    config: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    option, bundles = ("--config", str(config)), Bundles(settings)
    one, two = (releases.build(bundles, model).id for model in (b"one", b"two"))
    bundles.promote(one, by="ann", why="first")
    client = MlflowClient(tracking_uri(settings))
    version = next(v for v in client.search_model_versions("name = 'shop'") if v.tags["bundle"] == two)
    client.set_registered_model_alias("shop", "production", version.version)
    for command in ("list", "history"):
        assert json.loads(said(command, "--json", *option))["unrecorded_moves"] == [
            {"alias": "production", "recorded": one, "found": two, "damaged": None}
        ]
        assert "remora bundle restore-aliases" in " ".join(said(command, *option).split())
    status = CliRunner().invoke(remora, ["serve", "status", *option], catch_exceptions=False)
    assert two in status.stdout
    assert "without a promotion record" in " ".join(status.stdout.split())
    assert f"production is {one} again" in said("restore-aliases", *option)
    assert json.loads(said("list", "--json", *option))["unrecorded_moves"] == []
    assert "as the promotion records say" in said("restore-aliases", *option)


def test_history_and_list_work_while_mlflow_is_out(config: Path, settings: Settings) -> None:
    bundles = Bundles(settings)
    bundles.promote(releases.build(bundles).id, by="ann", why="first")
    out = yaml.safe_load(config.read_text()) | {"tracking_uri": "postgresql+psycopg://ann:sesame@127.0.0.1:9/mlflow"}
    config.write_text(yaml.safe_dump(out))
    assert len(json.loads(said("history", "--json", "--config", str(config)))["promotions"]) == 1
    assert "production" in said("list", "--config", str(config))
