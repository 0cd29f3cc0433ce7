"""What a version was made from, and in what two of them differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from pydantic import TypeAdapter, ValidationError

from remora.core.artifacts import Artifact, fingerprint

KEY = "provenance"
"""In an artifact's metadata."""


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """All that a version depends on, so its name follows: see :attr:`version`.

    ``settings``: path -> value, without credentials; ``inputs``: artifact -> its version; ``code``: package -> its
    version; ``others``: fingerprints of source files, versions of a layout.
    """

    settings: Mapping[str, Any]
    inputs: Mapping[str, str]
    code: Mapping[str, str]
    others: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def version(self) -> str:
        """The fingerprint that names the version."""
        return fingerprint(**self.as_json())

    def as_json(self) -> dict[str, Any]:
        """As metadata hold it."""
        return {
            "settings": dict(self.settings),
            "inputs": dict(self.inputs),
            "code": dict(self.code),
            "others": dict(self.others),
        }

    @classmethod
    def of(cls, metadata: Mapping[str, Any]) -> Provenance | None:
        """What an artifact's metadata say; None where another version of Remora wrote them without."""
        try:
            return _READER.validate_python(metadata.get(KEY))
        except ValidationError:
            return None


_READER = TypeAdapter(Provenance)


def inputs_of(artifacts: Mapping[str, Artifact]) -> dict[str, str]:
    """Their versions by name."""
    return {name: artifact.version for name, artifact in artifacts.items()}
