"""Who may release: keys that sign bundles, keys that are trusted, and what guards the registry's changes."""

from __future__ import annotations

from pydantic import Field, model_validator

from remora.core.credentials import Connection
from remora.core.section import Section


class RegistrySettings(Section):
    """Signatures of bundles, and the lock of their registry."""

    signing_key: str = Field(
        "", description="PEM file of an Ed25519 private key; what is built is signed with it. Never the key itself"
    )
    trusted_keys: tuple[str, ...] = Field(
        (), description="public keys: `ed25519:...` as `remora bundle keygen` prints it, or a PEM file's path"
    )
    require_signature: bool | None = Field(
        None, description="serve, promote and import only what a trusted key has signed; default: where one is named"
    )
    lock_url: Connection = Field(
        "", description="PostgreSQL that locks the registry of a home that is not local; default tracking_uri"
    )

    @property
    def signature_required(self) -> bool:
        """What was asked for, else whether any key is trusted: who names keys means to trust no others."""
        return bool(self.trusted_keys) if self.require_signature is None else self.require_signature

    @model_validator(mode="after")
    def _has_trusted_keys(self) -> RegistrySettings:
        if self.require_signature and not self.trusted_keys:
            raise ValueError("require_signature is set and trusted_keys is empty: no bundle could be served")
        return self
