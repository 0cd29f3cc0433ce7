"""Which bundle gets which requests: one small document in the home, which replicas follow."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from remora.core.errors import UnreadableInput
from remora.core.home import Home
from remora.core.json_document import read_document

PATH = "serving/traffic.json"
PRODUCTION, CANARY = "production", "canary"

BundleName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
"""What a document says of a bundle becomes part of a path."""

REPUBLISH = (
    "Replicas continue to serve what they hold. `remora bundle restore-aliases` writes it again from the promotion "
    "records, without canary and shadow."
)


class Canary(BaseModel):
    """A share of the users, who stay in it when it grows."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bundle: BundleName
    share: float = Field(gt=0, le=1)
    salt: str = Field(description="the rollout's name: another rollout assigns the users again")

    def includes(self, unit: str) -> bool:
        """Is this user, or nameless request, among the share?"""
        # The salt is the rollout's: with one hash for all, the same users would be in every canary.
        digest = hashlib.blake2b(f"{self.salt}\0{unit}".encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big") < self.share * 2**64


class Traffic(BaseModel):
    """Who serves whom. ``revision`` grows with every change."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    revision: int = 0
    production: BundleName
    previous: BundleName | None = Field(None, description="kept warm, so that a rollback loads nothing")
    canary: Canary | None = None
    shadow: BundleName | None = Field(None, description="answers the same requests, off the response path")
    loading: tuple[BundleName, ...] = Field((), description="to be made ready; no request is for them yet")

    @property
    def bundles(self) -> tuple[str, ...]:
        """Every bundle that a replica shall hold, what serves first."""
        canary = self.canary.bundle if self.canary else None
        named = (self.production, canary, self.shadow, self.previous, *self.loading)
        return tuple(dict.fromkeys(bundle for bundle in named if bundle is not None))

    def assign(self, unit: str) -> tuple[str, str]:
        """Bundle and variant for a user's id, or a request's where no user is named."""
        if self.canary is not None and self.canary.includes(unit):
            return self.canary.bundle, CANARY
        return self.production, PRODUCTION


@dataclass(frozen=True)
class TrafficStore:
    """The document of a home. A reader sees the old one or the new one; writers hold the registry's lock."""

    home: Home

    def read(self) -> Traffic | None:
        """What is active; None before the first promotion, UnreadableInput where the document is damaged."""
        try:
            return read_document(self.home, PATH, Traffic, REPUBLISH)
        except FileNotFoundError:
            return None

    def readable(self) -> Traffic | None:
        """The same; None where the document is damaged as well."""
        try:
            return self.read()
        except UnreadableInput:
            return None

    def damage(self) -> UnreadableInput | None:
        """What :meth:`read` raises where the document is damaged."""
        try:
            self.read()
        except UnreadableInput as error:
            return error
        return None

    def publish(self, traffic: Traffic) -> Traffic:
        """Activate it, with the next revision; the same content again writes nothing. A damaged document is replaced,
        and the revision is then the one after that of ``traffic``."""
        before = self.readable()
        if before is not None and before == traffic.model_copy(update={"revision": before.revision}):
            return before
        after = traffic.model_copy(update={"revision": (before or traffic).revision + 1})
        self.home.write_bytes(PATH, after.model_dump_json(indent=1).encode())
        return after
