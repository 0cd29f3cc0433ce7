"""An import and a verification refuse a bundle whose documents nothing could show, compare or gate."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from tests.damage import DAMAGES, scrambled
from tests.registry import releases
from tests.registry.test_archives import Member, replaced, rewritten
from tests.registry.test_bundle_settings import archived

from remora.core.errors import ChecksumMismatch, Refused
from remora.registry.bundle import Bundle
from remora.registry.bundles import Bundles
from remora.registry.diff import difference
from remora.registry.documents import MOST_BYTES
from remora.registry.manifest import MANIFEST, FileEntry, Manifest
from remora.registry.model_card import page
from remora.registry.store import entry, folder
from remora.settings import BundleSettings, Settings
from remora.settings.bundle import FILE

LINEAGE = releases.LINEAGE.model_dump_json().encode()


def written(bundles: Bundles, surfaces: tuple[str, ...] = ("home_feed",), **changed: bytes | None) -> Bundle:
    """A bundle whose hashes are right, whatever its documents hold; None leaves a file out."""
    documents: dict[str, bytes | None] = {
        "lineage.json": LINEAGE,
        "metrics.json": json.dumps(releases.METRICS).encode(),
        "settings.json": BundleSettings.of(bundles.settings).model_dump_json().encode(),
        "card.md": b"# A card",
    }
    documents |= {name.replace("_", "."): content for name, content in changed.items()}
    files = {name: content for name, content in documents.items() if content is not None}
    manifest = Manifest(surfaces=surfaces, files={path: entry(one) for path, one in files.items()})
    for path, one in files.items():
        bundles.home.write_bytes(f"{folder(manifest.id)}/{path}", one)
    bundles.home.write_bytes(f"{folder(manifest.id)}/{MANIFEST}", manifest.canonical)
    return bundles.store.read(manifest.id)


def metrics(**change: Any) -> bytes:
    return json.dumps(releases.METRICS | change).encode()


ESTIMATE = releases.METRICS["estimates"][0]  # type: ignore[index]

WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no lineage": ({"lineage_json": None}, "no lineage.json"),
    "no metrics": ({"metrics_json": None}, "no metrics.json"),
    "no card": ({"card_md": None}, "no card.md"),
    "a card of no encoding": ({"card_md": b"\xff\xfe"}, r"card\.md' is no text"),
    "an empty lineage": ({"lineage_json": b"{}"}, r"lineage\.json' is not what .*dataset \(Field required\)"),
    "a deep lineage": ({"lineage_json": b"[" * 5_000 + b"]" * 5_000}, r"lineage\.json'.*deep"),
    "NaN": ({"metrics_json": metrics(level=float("nan"))}, r"metrics\.json' is no JSON document.*not JSON compliant"),
    "infinity": ({"metrics_json": b'{"level": 1e999}'}, r"metrics\.json' is no JSON document"),
    "a list of metrics": ({"metrics_json": b"[]"}, r"metrics\.json' is not what"),
    "estimates of another shape": ({"metrics_json": metrics(estimates=[{}])}, r"estimates\.0\.system"),
    "a number as text": ({"metrics_json": metrics(estimates=[{**ESTIMATE, "mean": "0.1"}])}, r"estimates\.0\.mean"),
    "estimates without a level": (
        {"metrics_json": json.dumps({"estimates": [ESTIMATE]}).encode()},
        "has estimates and no level",
    ),
    "calibrations of another shape": ({"metrics_json": metrics(reliability=[{"objective": 1}])}, r"reliability\.0"),
    "a surface of no settings": ({"surfaces": ("admin_feed",)}, "surface admin_feed, which .*settings.json"),
    "settings of the operator": ({"settings_json": b'{"home": "x"}'}, "what a bundle may not set"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_cannot_be_read_is_refused_by_verify_and_import_with_its_name(
    bundles: Bundles, tmp_path: Path, wrong: str
) -> None:
    change, says = WRONG[wrong]
    bad = written(bundles, **change)
    file = archived(bad, tmp_path / "bad.tar")
    with pytest.raises(Refused, match=says) as refused:
        bundles.open(bad.id)
    assert not isinstance(refused.value, ChecksumMismatch)
    bundles.store.remove(bad.id)
    before = bundles.home.files("")
    with pytest.raises(Refused, match=says) as refused:
        bundles.import_(file)
    assert bundles.home.at() not in str(refused.value), "it names the archive's member, not a file that was never there"
    assert bundles.home.files("") == before


def test_what_is_whole_or_was_not_evaluated_is_taken(bundles: Bundles) -> None:
    for change in ({}, {"metrics_json": b"{}"}, {"settings_json": None}):
        written(bundles, **change).verify()


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
@given(st.data())
def test_whatever_is_accepted_can_be_shown_compared_and_gated(bundles: Bundles, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(["lineage.json", "metrics.json", "settings.json", "card.md"]))
    good = written(bundles)
    before = good.read_bytes(name)
    after = data.draw(st.one_of(st.sampled_from([damage(before) for damage in DAMAGES.values()]), scrambled(before)))
    bad = written(bundles, **{name.replace(".", "_"): after})
    try:
        bad.verify()
    except Refused:
        return
    page(bad.lineage(), bad.metrics(), bad.manifest.surfaces, id=bad.id)
    for one in difference(good, bad):
        f"{one.by}"
    bad.read_bytes("card.md").decode()


def test_a_build_writes_null_where_nothing_was_measured(bundles: Bundles) -> None:
    unmeasured = releases.METRICS | {"cold_start": {"recall": float("nan"), "without_quota": float("inf")}}
    files = {"ranker.ubj": b"a booster"}
    built = bundles.build(files, lineage=releases.LINEAGE, metrics=unmeasured, surfaces=("home_feed",))
    assert bundles.open(built.id).metrics()["cold_start"] == {"recall": None, "without_quota": None}


def test_a_document_is_no_larger_than_what_is_read_into_memory(bundles: Bundles) -> None:
    good = written(bundles)
    large = good.manifest.files | {"metrics.json": FileEntry(sha256="0" * 64, bytes=MOST_BYTES + 1)}
    bad = Bundle(good.home, good.folder, good.id, good.manifest.model_copy(update={"files": large}))
    with pytest.raises((Refused, ChecksumMismatch)):
        bad.verify()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (replaced("manifest.json", b'"sha256"', b'"sha512"'), r"manifest\.json' is malformed: files\.card\.md\.sha256"),
        (replaced("manifest.json", b'"files"', b'"filed"'), r"manifest\.json' is malformed: files \(Field required\)"),
        (replaced("ranker.ubj", b"booster", b"trojan!"), r"ranker\.ubj' has SHA-256"),
    ],
)
def test_a_damaged_archive_is_to_be_copied_or_exported_again(
    bundles: Bundles, settings: Settings, tmp_path: Path, change: Callable[[list[Member]], list[Member]], says: str
) -> None:
    built = releases.build(bundles)
    bundles.export(built.id, tmp_path / "shop.tar")
    with pytest.raises(Refused, match=says + ".*Copy the file again, or export the bundle again") as refused:
        bundles.import_(rewritten(tmp_path / "shop.tar", change))
    assert "Rebuild" not in str(refused.value)
    assert FILE not in built.manifest.files
