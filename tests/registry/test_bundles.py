from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest
from mlflow import MlflowClient
from tests.registry import releases
from tests.registry.processes import in_processes

from remora.core.errors import BadRequest, ChecksumMismatch, NotBuilt, NotFound, Refused, StorageError
from remora.core.home import Home
from remora.registry.bundles import Bundles
from remora.registry.manifest import MANIFEST
from remora.registry.tracking import tracking_uri
from remora.settings import Settings


def test_the_same_content_is_the_same_bundle(bundles: Bundles) -> None:
    first, again, other = releases.build(bundles), releases.build(bundles), releases.build(bundles, b"another")
    assert first.id == again.id != other.id
    assert [b.id for b in bundles.list()] == [first.id, other.id]


def test_a_bundle_holds_its_files_lineage_metrics_and_card(bundles: Bundles) -> None:
    built = releases.build(bundles)
    folder = bundles.open(built.id).local()
    assert sorted(built.manifest.files) == [
        "card.md",
        "lineage.json",
        "metrics.json",
        "ranker.ubj",
        "vocabulary.parquet",
    ]
    assert (folder / "ranker.ubj").read_bytes() == b"a booster"
    assert built.read_json("lineage.json")["events"] == 541_909
    assert built.read_json("metrics.json") == json.loads(json.dumps(releases.METRICS))
    assert built.read_bytes("card.md").startswith(b"# Model card: shop")


def test_files_are_taken_from_disk_as_well_as_from_memory(bundles: Bundles, tmp_path: Path) -> None:
    model = tmp_path / "model.ubj"
    model.write_bytes(b"a booster")
    files = {"ranker.ubj": model, "vocabulary.parquet": b"ids"}
    from_disk = bundles.build(files, lineage=releases.LINEAGE, metrics=releases.METRICS, surfaces=("home_feed",))
    assert from_disk.id == releases.build(bundles).id


def test_what_executes_when_it_is_loaded_is_refused(bundles: Bundles) -> None:
    for name in ("ranker.pkl", "model.pt", "ranker.joblib", "noextension"):
        with pytest.raises(Refused, match=name):
            bundles.build({name: b""}, lineage=releases.LINEAGE, metrics={}, surfaces=())
    assert bundles.list() == []


@pytest.mark.parametrize("name", ["../lake/CURRENT.json", "/etc/x.json", "a/../b.json", "./a.json", MANIFEST])
def test_a_file_that_is_not_inside_the_bundle_is_refused(bundles: Bundles, name: str) -> None:
    with pytest.raises(Refused, match="plain relative path"):
        bundles.build({name: b"{}"}, lineage=releases.LINEAGE, metrics={}, surfaces=())


def test_a_changed_file_is_named_when_the_bundle_is_opened_or_promoted(bundles: Bundles) -> None:
    built = releases.build(bundles)
    Path(built.at("ranker.ubj")).write_bytes(b"a trojan!")
    with pytest.raises(ChecksumMismatch, match=r"ranker\.ubj"):
        bundles.open(built.id)
    with pytest.raises(ChecksumMismatch, match=r"ranker\.ubj"):
        built.local()
    with pytest.raises(ChecksumMismatch, match=r"ranker\.ubj"):
        bundles.promote(built.id, by="me", why="it looks fine")
    assert bundles.history() == ()


def test_a_missing_file_is_named_when_the_bundle_is_opened(bundles: Bundles) -> None:
    built = releases.build(bundles)
    Path(built.at("vocabulary.parquet")).unlink()
    with pytest.raises(ChecksumMismatch, match=r"vocabulary\.parquet.*the file is missing"):
        bundles.open(built.id)


def test_a_manifest_that_was_changed_with_its_file_is_not_the_bundle_of_that_id(bundles: Bundles) -> None:
    built = releases.build(bundles)
    manifest = Path(built.at(MANIFEST))
    manifest.write_text(manifest.read_text().replace("home_feed", "admin_feed"))
    with pytest.raises(ChecksumMismatch, match=r"manifest\.json"):
        bundles.open(built.id)
    manifest.write_text("{}")
    with pytest.raises(Refused, match=r"manifest\.json' is malformed: surfaces \(Field required\); files"):
        bundles.open(built.id)


def test_building_a_damaged_bundle_again_mends_it(bundles: Bundles) -> None:
    built = releases.build(bundles)
    Path(built.at("ranker.ubj")).write_bytes(b"half a boo")
    assert releases.build(bundles).id == built.id
    bundles.open(built.id).verify()


def test_a_full_disk_leaves_no_bundle_and_says_so(bundles: Bundles, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = releases.build(bundles)
    write = os.fsync

    def full(handle: int) -> None:
        if b"card" in os.readlink(f"/proc/self/fd/{handle}").encode():
            raise OSError(errno.ENOSPC, "No space left on device")
        write(handle)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="No space left"):
        releases.build(bundles, b"another")
    assert [b.id for b in bundles.list()] == [kept.id]


def test_an_alias_means_what_it_was_last_promoted_to(bundles: Bundles) -> None:
    one, two = releases.build(bundles), releases.build(bundles, b"another")
    bundles.promote(one.id, by="ann", why="first release")
    bundles.promote(two.id, "candidate", by="ann", why="to be tried")
    assert (bundles.resolve("production"), bundles.open("candidate").id) == (one.id, two.id)
    promoted = bundles.promote("candidate", by="bob", why="it won")
    assert (promoted.bundle, promoted.previous) == (two.id, one.id)
    assert bundles.resolve("production") == two.id
    assert {b.id: b.aliases for b in bundles.list()} == {one.id: (), two.id: ("candidate", "production")}


def test_history_says_who_moved_which_alias_when_and_why(bundles: Bundles) -> None:
    one, two = releases.build(bundles), releases.build(bundles, b"another")
    for id, who, why in ((one.id, "ann", "first"), (two.id, "bob", "better"), (one.id, "ann", "rolled back")):
        bundles.promote(id, by=who, why=why)
    history = bundles.history()
    assert [(p.bundle, p.previous, p.by, p.why) for p in history] == [
        (one.id, None, "ann", "first"),
        (two.id, one.id, "bob", "better"),
        (one.id, two.id, "ann", "rolled back"),
    ]
    assert all(p.done for p in history)
    assert sorted(p.at for p in history) == [p.at for p in history]


def test_promoting_what_is_promoted_already_writes_nothing(bundles: Bundles) -> None:
    built = releases.build(bundles)
    for _ in range(2):
        assert bundles.promote(built.id, by="ann", why="again").done
    assert len(bundles.history()) == 1


def test_names_that_mean_nothing_are_refused_with_what_there_is(bundles: Bundles) -> None:
    with pytest.raises(NotFound, match="0123456789abcdef" * 2):
        bundles.open("0123456789abcdef" * 2)
    with pytest.raises(NotBuilt, match=r"production bundle.*remora bundle build"):
        bundles.open("production")
    with pytest.raises(BadRequest, match="production, candidate, shadow"):
        bundles.open("latest")
    with pytest.raises(BadRequest, match="prod"):
        bundles.promote(releases.build(bundles).id, "prod", by="ann", why="a slip of the pen")


def test_mlflow_shows_each_bundle_as_one_version_with_its_aliases(bundles: Bundles) -> None:
    built = releases.build(bundles)
    releases.build(bundles)
    bundles.promote(built.id, by="ann", why="first")
    client = MlflowClient(tracking_uri(bundles.settings))
    version = client.get_model_version_by_alias("shop", "production")
    assert version.tags == {"bundle": built.id}
    assert version.source == Path(built.at()).as_uri()
    assert len(client.search_model_versions("name = 'shop'")) == 1


def test_a_tracking_server_that_is_out_is_a_storage_error(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    out = settings.model_copy(update={"tracking_uri": "http://127.0.0.1:9"})
    with pytest.raises(StorageError, match=r"http://127\.0\.0\.1:9"):
        releases.build(Bundles(out))


def test_a_process_that_dies_before_the_alias_moves_leaves_the_old_one(bundles: Bundles) -> None:
    one, two = releases.build(bundles), releases.build(bundles, b"another")
    bundles.promote(one.id, by="ann", why="first")
    assert in_processes(releases.die_before_the_alias_moves, (bundles.settings, two.id)) == [9]
    assert bundles.resolve("production") == one.id
    assert [(p.by, p.done) for p in bundles.history()] == [("ann", True), ("doomed", False)]
    bundles.promote(two.id, by="ann", why="again")  # the dead process holds no lock
    assert bundles.resolve("production") == two.id


def test_a_build_that_dies_before_its_manifest_is_not_a_bundle_and_is_finished_by_the_next(bundles: Bundles) -> None:
    built = releases.build(bundles)
    Path(built.at(MANIFEST)).unlink()
    Path(built.at("ranker.ubj")).write_bytes(b"half")
    assert bundles.list() == []
    with pytest.raises(NotFound):
        bundles.open(built.id)
    assert releases.build(bundles).id == built.id
    bundles.open(built.id).verify()


def test_processes_that_promote_at_once_are_one_after_the_other_in_the_history(bundles: Bundles) -> None:
    ids = (releases.build(bundles).id, releases.build(bundles, b"another").id)
    work = [(bundles.settings, order, 6, who) for order, who in ((ids, "ann"), (ids[::-1], "bob"))]
    assert in_processes(releases.promote_by_turns, *work) == [0, 0]
    history = bundles.history()
    assert all(p.done for p in history)
    assert [p.previous for p in history] == [None, *(p.bundle for p in history[:-1])]
    assert bundles.resolve("production") == history[-1].bundle


def test_processes_that_build_the_same_bundle_at_once_make_one(bundles: Bundles) -> None:
    assert in_processes(releases.build_one, (bundles.settings,), (bundles.settings,)) == [0, 0]
    listed = bundles.list()
    assert len(listed) == 1
    bundles.open(listed[0].id).verify()
    client = MlflowClient(tracking_uri(bundles.settings))
    assert len(client.search_model_versions("name = 'shop'")) == 1
    assert not [f for f in Home(bundles.settings.home).files(f"bundles/{listed[0].id}") if f.count(".") > 1]


def test_an_alias_of_no_bundle_says_to_build_one_and_then_to_promote_it(bundles: Bundles) -> None:
    with pytest.raises(NotBuilt, match="Run `remora bundle build` first"):
        bundles.resolve("production")
    releases.build(bundles)
    with pytest.raises(NotBuilt, match="Run `remora bundle promote ID --alias production` first"):
        bundles.resolve("production")
