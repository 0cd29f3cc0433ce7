"""Settings that may hold a credential, and how they count in fingerprints.

A fingerprint is written down and is not salted: a password in it could be found out by trying, and a new password would
make everything again.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import PlainSerializer, SerializationInfo

from remora.core.redaction import HIDDEN, redacted_connection

WITHOUT_CREDENTIALS = {"credentials": "hidden"}
"""Context in which settings are serialised without credentials."""


def _connection(value: str, info: SerializationInfo) -> str:
    return redacted_connection(value) if info.context == WITHOUT_CREDENTIALS else value


def _secret(value: str | None, info: SerializationInfo) -> str | None:
    return HIDDEN if value and info.context == WITHOUT_CREDENTIALS else value


Connection = Annotated[str, PlainSerializer(_connection)]
"""A URL, a path or a connection string, which may have a user, a password or a key in it."""

SecretUrl = Annotated[str | None, PlainSerializer(_secret)]
"""A URL that is a secret as a whole: whoever knows it may use it."""
