"""A bundle sets how its models and features are defined, and nothing of the machine that serves it."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from tests.registry import releases

from remora.core.errors import Refused, SignatureError
from remora.registry.bundle import Bundle
from remora.registry.bundles import Bundles
from remora.registry.manifest import MANIFEST, Manifest
from remora.registry.signature import PrivateKey
from remora.registry.store import entry, folder
from remora.settings import BundleSettings, RegistrySettings, Settings, SurfaceSettings, SurfacesSettings
from remora.settings.bundle import FILE
from remora.wiring.bundle_contents import BundleContents

THE_OPERATORS = (
    ("features", "redis"),
    ("features", "registry"),
    ("features", "partitions"),
    ("retrieval", "workers"),
    ("ranking", "workers"),
    ("ranking", "refit"),
)


def fields_of(model: type[BaseModel], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The path of every field of the settings tree, inside its section."""
    for name, field in model.model_fields.items():
        kind = field.annotation
        if kind is SurfacesSettings:
            yield from fields_of(SurfaceSettings, (*above, name, "home_feed"))
        elif isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from fields_of(kind, (*above, name))
        else:
            yield (*above, name)


def may_be_set(path: tuple[str, ...]) -> bool:
    """Is there such a field in the model of what a bundle may set?"""
    return path in set(fields_of(BundleSettings))


def planted(settings: Settings, path: tuple[str, ...], value: Any) -> dict[str, Any]:
    """A bundle's settings, with one field of the tree in them."""
    whole: dict[str, Any] = BundleSettings.of(settings).model_dump(mode="json")
    inside = whole
    for name in path[:-1]:
        inside = inside.setdefault(name, {})
    inside[path[-1]] = value
    return whole


def value_at(settings: Settings, path: tuple[str, ...]) -> Any:
    value: Any = settings.model_dump(mode="json")
    for name in path:
        value = value[name]
    return value


def by_hand(bundles: Bundles, content: bytes) -> Bundle:
    """What somebody who does not use our code puts into a home: a bundle whose hashes are right."""
    files = {"ranker.ubj": b"a booster", FILE: content, "lineage.json": releases.LINEAGE.model_dump_json().encode()}
    files |= {"metrics.json": json.dumps(releases.METRICS).encode(), "card.md": b"# A card"}
    manifest = Manifest(surfaces=("home_feed",), files={path: entry(one) for path, one in files.items()})
    for path, one in files.items():
        bundles.home.write_bytes(f"{folder(manifest.id)}/{path}", one)
    bundles.home.write_bytes(f"{folder(manifest.id)}/{MANIFEST}", manifest.canonical)
    return bundles.store.read(manifest.id)


def archived(bundle: Bundle, file: Path) -> Path:
    """The same as a file to import."""
    with tarfile.open(file, "w") as tar:
        for path in (MANIFEST, *bundle.manifest.files):
            content = bundle.read_bytes(path)
            info = tarfile.TarInfo(f"{bundle.id}/{path}")
            info.size = len(content)
            tar.addfile(info, BytesIO(content))
    return file


def test_no_field_of_the_tree_gets_in_but_those_that_a_bundle_may_set(settings: Settings) -> None:
    paths = list(fields_of(Settings))
    refused = 0
    for path in paths:
        content = json.dumps(planted(settings, path, value_at(settings, path))).encode()
        if may_be_set(path):
            BundleSettings.parse(content, FILE)
            continue
        with pytest.raises(Refused, match=rf"{path[0]}.*"):
            BundleSettings.parse(content, FILE)
        refused += 1
    assert refused > 150
    assert len(paths) - refused > 30  # and what is set of components, whose settings are their own


@pytest.mark.parametrize("path", THE_OPERATORS, ids=".".join)
def test_what_is_the_operators_stays_the_operators(settings: Settings, path: tuple[str, ...]) -> None:
    assert not may_be_set(path)
    theirs = settings.model_copy(
        update={"features": settings.features.model_copy(update={"redis": "theirs:6379", "registry": "theirs://"})}
    )
    over = BundleSettings.of(theirs).over(settings)
    assert value_at(over, path) == value_at(settings, path)


def test_a_bundle_with_every_section_is_refused_by_whatever_opens_it(bundles: Bundles, tmp_path: Path) -> None:
    good = releases.build(bundles)
    whole = bundles.settings.model_dump(mode="json")
    whole["features"]["registry"] = f"sqlite:///{tmp_path}/theirs.db"
    bad = by_hand(bundles, json.dumps(whole).encode())
    file = archived(bad, tmp_path / "theirs.tar")
    tries: list[Callable[[], object]] = [
        bad.verify,
        lambda: bundles.inspect(bad.id),
        lambda: bundles.open(bad.id),
        lambda: bundles.export(bad.id, tmp_path / "out.tar"),
        lambda: bundles.promote(bad.id, by="ann", why="trust me"),
        lambda: BundleContents.load(bad, bundles.settings),
    ]
    for act in tries:
        with pytest.raises(Refused, match=r"settings\.json' sets what a bundle may not set.*; and \d+ more"):
            act()
    bundles.store.remove(bad.id)
    with pytest.raises(Refused, match="sets what a bundle may not set"):
        bundles.import_(file)
    assert [one.id for one in bundles.list()] == [good.id]
    assert not (tmp_path / "theirs.db").exists()


def test_objectives_are_written_out_so_other_event_types_do_not_change_them(settings: Settings) -> None:
    assert not settings.ranking.objectives
    assert BundleSettings.of(settings).ranking.objectives == settings.objectives


def test_the_id_does_not_depend_on_where_features_are_stored(settings: Settings) -> None:
    elsewhere = settings.features.model_copy(update={"redis": "redis:6379,password=sesame", "registry": "pg://a:b@c/d"})
    other = settings.model_copy(update={"features": elsewhere, "tracking_uri": "http://a:b@mlflow"})
    assert BundleSettings.of(other) == BundleSettings.of(settings)
    assert "sesame" not in BundleSettings.of(other).model_dump_json()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"[" * 5_000_000, "nested too deeply"),
        (b'{"a":' * 50 + b"1" + b"}" * 50, "nested more than 32"),
        (b'{"a": "\\ud800"}', "surrogates not allowed"),
        (b"\x80\x04\x95", "no JSON document"),
        (b"[]", "sets what a bundle may not set"),
    ],
)
def test_documents_that_would_bring_a_reader_down_are_refused(content: bytes, says: str) -> None:
    with pytest.raises(Refused, match=says):
        BundleSettings.parse(content, FILE)


@pytest.mark.parametrize(
    "name", ["a\x1b[31m.json", "a\n.json", "../a.json", "/a.json", "a//b.json", "x/" * 9 + "a.json"]
)
def test_names_of_files_are_short_and_plain(bundles: Bundles, name: str) -> None:
    with pytest.raises(Refused, match="cannot hold a file at"):
        bundles.build({name: b"{}"}, lineage=releases.LINEAGE, metrics=releases.METRICS, surfaces=("home_feed",))


@pytest.mark.parametrize("surface", ["[/red]", "", "a b", "x" * 65, "\x1b]0;owned\x07"])
def test_surfaces_have_plain_names(surface: str) -> None:
    with pytest.raises(ValueError, match="surfaces"):
        Manifest(surfaces=(surface,), files={})


def test_who_names_keys_trusts_no_others(bundles: Bundles, tmp_path: Path) -> None:
    unsigned = releases.build(bundles)
    key = PrivateKey.make(tmp_path / "key")
    naming = RegistrySettings(trusted_keys=(key.public.line,))
    with pytest.raises(SignatureError, match="not signed"):
        Bundles(bundles.settings.model_copy(update={"registry": naming})).open(unsigned.id)


def test_the_beginning_of_an_id_is_enough_where_it_begins_only_one(bundles: Bundles) -> None:
    one = releases.build(bundles)
    assert bundles.open(one.id[:6]) == one
    with pytest.raises(Refused, match="begins no bundle's id"):
        bundles.open("0" * 8 if not one.id.startswith("0" * 8) else "1" * 8)
