"""May this bundle be served here? What the settings say of signatures; replicas ask it too, so it knows no MLflow."""

from __future__ import annotations

from pydantic import ValidationError

from remora.core.errors import SignatureError
from remora.registry.bundle import Bundle
from remora.registry.manifest import Manifest
from remora.registry.signature import SIGNATURE, PrivateKey, PublicKey, Signature
from remora.settings import RegistrySettings


def trusted(bundle: Bundle, settings: RegistrySettings) -> Bundle:
    """The bundle, when its signature satisfies the settings; else SignatureError. Its files are verified elsewhere.

    A signature that does not fit is refused whether one is required or not.
    """
    path = f"{bundle.folder}/{SIGNATURE}"
    content = bundle.home.read_bytes(path) if bundle.home.exists(path) else None
    check(bundle.manifest, content, settings)
    return bundle


def check(manifest: Manifest, content: bytes | None, settings: RegistrySettings) -> None:
    """The same of a manifest and what its signature file holds; None where there is no such file.

    SignatureError, with the reason, when the settings do not trust it.
    """
    if (why := signature_problem(manifest, content, settings)) is not None:
        raise SignatureError(manifest.id, why)


def signature_problem(manifest: Manifest, content: bytes | None, settings: RegistrySettings) -> str | None:
    """Why the bundle is not trusted and what to do; None when it is."""
    if content is None:
        missing = "it is not signed, and registry.trusted_keys says who must sign. Sign it: remora bundle sign"
        return f"{missing} {manifest.id}." if settings.signature_required else None
    try:
        signature = Signature.model_validate_json(content)
    except ValidationError:
        return f"{SIGNATURE} is damaged. Sign it again: remora bundle sign {manifest.id}."
    keys = {key.id: key for key in map(PublicKey.read, settings.trusted_keys)}
    if signature.key not in keys:
        known = ", ".join(keys) or "none"
        unknown = f"key {signature.key} signed it, and registry.trusted_keys has {known}. Add the key, or sign it again"
        return f"{unknown}: remora bundle sign {manifest.id}." if settings.signature_required else None
    if not keys[signature.key].signed(manifest.canonical, signature.signature):
        return (
            f"the signature by key {signature.key} is not of this manifest: one of them was changed. Get the bundle "
            f"again from where it was made, or build it again."
        )
    return None


def is_signed_by_trusted(manifest: Manifest, content: bytes, settings: RegistrySettings) -> bool:
    """Is this the signature of a trusted key, whether one is required or not?"""
    strict = settings.model_copy(update={"require_signature": True})
    return signature_problem(manifest, content, strict) is None


def signed(manifest: Manifest, settings: RegistrySettings) -> Signature | None:
    """The signature that the settings' own key gives; None without a key."""
    return PrivateKey.read(settings.signing_key).sign(manifest.canonical) if settings.signing_key else None
