"""Who vouches for a bundle, and what is refused where somebody must."""

from __future__ import annotations

import base64
import pickle
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from pydantic import ValidationError
from tests.registry import releases

from remora.core.errors import RemoraError, SettingsError, SignatureError
from remora.registry.bundles import Bundles
from remora.registry.signature import SIGNATURE, PrivateKey, PublicKey
from remora.registry.store import FOLDER
from remora.registry.trust import trusted
from remora.settings import RegistrySettings


@pytest.fixture
def key(tmp_path: Path) -> PrivateKey:
    """The key of those who release, in the file `key`."""
    return PrivateKey.make(tmp_path / "key")


@pytest.fixture
def strict(bundles: Bundles, key: PrivateKey, tmp_path: Path) -> Bundles:
    """A registry that signs, and takes nothing that this key did not sign."""
    return under(bundles, signing_key=str(tmp_path / "key"), trusted_keys=(key.public.line,), require_signature=True)


def under(bundles: Bundles, **registry: object) -> Bundles:
    """The same home under other settings."""
    return Bundles(bundles.settings.model_copy(update={"registry": RegistrySettings.model_validate(registry)}))


def test_what_is_built_is_signed_and_its_id_is_the_same(bundles: Bundles, strict: Bundles) -> None:
    unsigned = releases.build(bundles)
    assert [b.signed for b in bundles.list()] == [False]
    assert releases.build(strict).id == unsigned.id  # and this signs it
    assert [(b.signed, b.problem) for b in strict.list()] == [(True, "")]
    strict.promote(unsigned.id, by="ann", why="signed")


def test_the_signature_is_checked_without_remora(strict: Bundles, tmp_path: Path) -> None:
    built = releases.build(strict)
    raw = base64.b64decode(built.read_json(SIGNATURE)["signature"])
    key = load_pem_public_key((tmp_path / "key.pub").read_bytes())
    assert isinstance(key, Ed25519PublicKey)
    manifest = built.read_bytes("manifest.json")
    key.verify(raw, manifest)
    with pytest.raises(InvalidSignature):
        key.verify(raw, manifest + b" ")


def unsigned(bundles: Bundles, folder: Path) -> None:
    (folder / SIGNATURE).unlink()


def signed_by_a_stranger(bundles: Bundles, folder: Path) -> None:
    stranger = PrivateKey.make(folder.parent.parent / "stranger")
    bundles.sign(folder.name, stranger)


def of_another_bundle(bundles: Bundles, folder: Path) -> None:
    another = releases.build(bundles, b"another")
    (folder / SIGNATURE).write_bytes(another.read_bytes(SIGNATURE))


def nonsense(bundles: Bundles, folder: Path) -> None:
    (folder / SIGNATURE).write_bytes(b'{"key": "half')


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (unsigned, "not signed.*remora bundle sign"),
        (signed_by_a_stranger, "trusted_keys has"),
        (of_another_bundle, "not of this manifest"),
        (nonsense, "damaged"),
    ],
)
def test_no_command_takes_a_bundle_without_the_signature_of_a_trusted_key(
    strict: Bundles, bundles: Bundles, tmp_path: Path, damage: Callable[[Bundles, Path], None], says: str
) -> None:
    good, bad = releases.build(strict, b"good"), releases.build(strict, b"bad")
    strict.promote(bad.id, by="ann", why="still good")
    strict.promote(good.id, by="ann", why="first")
    damage(strict, Path(bad.at()))
    file = tmp_path / "bad.tar"
    strict.export(bad.id, file)
    for door in (
        lambda: strict.open(bad.id),
        lambda: strict.promote(bad.id, by="ann", why="it looks fine"),
        lambda: strict.promote(bad.id, "candidate", by="ann", why="it looks fine"),
        lambda: strict.set_traffic(lambda now: now.model_copy(update={"shadow": bad.id})),
        lambda: strict.rollback(by="ann", why="worse"),
        lambda: strict.import_(file),
        lambda: trusted(strict.read(bad.id), strict.settings.registry),
    ):
        with pytest.raises(SignatureError, match=says):
            door()
    assert strict.resolve("production") == strict.traffic().production == good.id
    assert [bool(b.problem) for b in strict.list() if b.id == bad.id] == [True]


def test_where_none_is_required_a_missing_or_a_strangers_signature_will_do_and_a_wrong_one_never(
    strict: Bundles, bundles: Bundles, key: PrivateKey
) -> None:
    lax = under(bundles, trusted_keys=(key.public.line,), require_signature=False)
    built = releases.build(strict)
    signed_by_a_stranger(strict, Path(built.at()))
    lax.open(built.id)
    unsigned(strict, Path(built.at()))
    lax.open(built.id)
    of_another_bundle(strict, Path(built.at()))
    with pytest.raises(SignatureError):
        lax.open(built.id)


def test_an_import_brings_its_signature_and_takes_none_away(strict: Bundles, bundles: Bundles, tmp_path: Path) -> None:
    built, good = releases.build(strict), tmp_path / "good.tar"
    strict.export(built.id, good)
    of_the_key = built.read_bytes(SIGNATURE)
    signed_by_a_stranger(strict, Path(built.at()))
    strangers = tmp_path / "strangers.tar"
    strict.export(built.id, strangers)
    strict.import_(good)
    assert built.read_bytes(SIGNATURE) == of_the_key
    under(bundles, trusted_keys=strict.settings.registry.trusted_keys, require_signature=False).import_(strangers)
    assert built.read_bytes(SIGNATURE) == of_the_key


def test_an_old_and_a_new_key_are_trusted_while_one_follows_the_other(
    strict: Bundles, bundles: Bundles, key: PrivateKey, tmp_path: Path
) -> None:
    built = releases.build(strict)
    new = PrivateKey.make(tmp_path / "new")
    both = under(bundles, trusted_keys=(key.public.line, str(tmp_path / "new.pub")), require_signature=True)
    both.open(built.id)
    both.sign(built.id, new)
    both.open(built.id)
    under(bundles, trusted_keys=(new.public.line,), require_signature=True).open(built.id)


def test_a_private_key_is_its_owners_and_is_never_overwritten(tmp_path: Path) -> None:
    made = PrivateKey.make(tmp_path / "key")
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    with pytest.raises(SettingsError, match="never overwritten"):
        PrivateKey.make(tmp_path / "key")
    assert PrivateKey.read(str(tmp_path / "key")).public == made.public == PublicKey.read(made.public.line)
    assert PublicKey.read(str(tmp_path / "key.pub")) == made.public


def test_what_is_no_key_is_a_mistake_in_the_settings(tmp_path: Path) -> None:
    other = rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (tmp_path / "rsa").write_bytes(other)
    (tmp_path / "text").write_text("hello")
    for name, says in (("rsa", "another kind"), ("text", "no PEM"), ("never", "No such file")):
        with pytest.raises(SettingsError, match=says):
            PrivateKey.read(str(tmp_path / name))
    for line in ("ed25519:", "ed25519:AAAA", "ed25519:no base64", str(tmp_path / "text")):
        with pytest.raises(SettingsError):
            PublicKey.read(line)
    with pytest.raises(ValidationError, match="no bundle could be served"):
        RegistrySettings(require_signature=True)


def test_a_key_that_cannot_be_read_stops_a_build_before_anything_is_written(bundles: Bundles, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="Cannot read the key"):
        releases.build(under(bundles, signing_key=str(tmp_path / "never")))
    assert bundles.home.stored(FOLDER) == []


def test_errors_of_trust_cross_process_borders() -> None:
    error: RemoraError = SignatureError("0123456789abcdef", "nobody signed it")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
