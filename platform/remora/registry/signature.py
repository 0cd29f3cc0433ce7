"""Ed25519 signatures of bundles (RFC 8032): what is signed is the manifest, and so every file's hash.

The signature lies beside the manifest and is no part of it, so signing does not change a bundle's id. It is of
`manifest.json` as it lies there: `openssl pkeyutl -verify -rawin` checks it without Remora.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import BaseModel, ConfigDict

from remora.core.errors import SettingsError

SIGNATURE = "signature.json"
PREFIX = "ed25519:"


class Signature(BaseModel):
    """``key`` is the signer's :attr:`PublicKey.id`, ``signature`` 64 bytes in base64."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str
    signature: str


@dataclass(frozen=True)
class PublicKey:
    """Tells whether something was signed by the holder of the private key."""

    raw: bytes

    @classmethod
    def read(cls, named: str) -> PublicKey:
        """From ``ed25519:<base64>``, or a PEM file's path. SettingsError for anything else."""
        if not named.startswith(PREFIX):
            return cls.of(_public(named))
        try:
            raw = base64.b64decode(named.removeprefix(PREFIX), validate=True)
            return cls.of(Ed25519PublicKey.from_public_bytes(raw))
        except (binascii.Error, ValueError) as error:
            raise SettingsError(
                f"'{named}' is no Ed25519 public key ({error}). `remora bundle keygen` prints the line that is meant."
            ) from error

    @classmethod
    def of(cls, key: Ed25519PublicKey) -> PublicKey:
        """The same key as bytes."""
        return cls(key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw))

    @property
    def id(self) -> str:
        """The first 16 hex digits of the SHA-256 of its 32 bytes."""
        return hashlib.sha256(self.raw).hexdigest()[:16]

    @property
    def line(self) -> str:
        """As it stands in the settings."""
        return PREFIX + base64.b64encode(self.raw).decode()

    def signed(self, content: bytes, signature: str) -> bool:
        """Is this (base64) the key's signature of ``content``?"""
        try:
            found = base64.b64decode(signature, validate=True)
            Ed25519PublicKey.from_public_bytes(self.raw).verify(found, content)
        except (binascii.Error, ValueError, InvalidSignature):
            return False
        return True


@dataclass(frozen=True)
class PrivateKey:
    """Signs."""

    key: Ed25519PrivateKey

    @classmethod
    def read(cls, path: str) -> PrivateKey:
        """From a PEM file. Raises SettingsError when it holds no such key."""
        found = _load(path, lambda pem: serialization.load_pem_private_key(pem, password=None))
        if not isinstance(found, Ed25519PrivateKey):
            raise _other(path, found)
        return cls(found)

    @classmethod
    def make(cls, path: Path) -> PrivateKey:
        """A new key: the private one in a file that only its owner may read, the public one beside it as `.pub`.

        SettingsError when the file is there already: a key is never overwritten.
        """
        made = cls(Ed25519PrivateKey.generate())
        private = made.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        public = made.key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        try:
            # Closed to others from the first byte on: a change of mode afterwards would leave a moment.
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError as error:
            raise SettingsError(f"'{path}' is there already, and a key is never overwritten. Name another.") from error
        except OSError as error:
            raise SettingsError(f"Cannot write a key to '{path}': {error.strerror}.") from error
        with os.fdopen(handle, "wb") as file:
            file.write(private)
        path.with_name(path.name + ".pub").write_bytes(public)
        return made

    @property
    def public(self) -> PublicKey:
        """What others check its signatures with."""
        return PublicKey.of(self.key.public_key())

    def sign(self, content: bytes) -> Signature:
        """The same content has the same signature."""
        return Signature(key=self.public.id, signature=base64.b64encode(self.key.sign(content)).decode())


def _public(path: str) -> Ed25519PublicKey:
    found = _load(path, serialization.load_pem_public_key)
    if not isinstance(found, Ed25519PublicKey):
        raise _other(path, found)
    return found


def _load(path: str, load: Callable[[bytes], object]) -> object:
    try:
        return load(Path(path).expanduser().read_bytes())
    except OSError as error:
        raise SettingsError(f"Cannot read the key '{path}': {error.strerror}.") from error
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:  # TypeError: it wants a password
        raise SettingsError(f"'{path}' is no PEM file of an unencrypted key: {error}") from error


def _other(path: str, found: object) -> SettingsError:
    kind = type(found).__name__
    return SettingsError(f"'{path}' holds another kind of key ({kind}); make an Ed25519 key: remora bundle keygen.")
