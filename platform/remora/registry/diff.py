"""What changed from one bundle to another: data, features, code, settings, metrics, files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal, get_args

from remora.registry.bundle import Bundle
from remora.registry.documents import LINEAGE, METRICS
from remora.registry.model_card import SURFACE

Part = Literal["data", "features", "training", "code", "settings", "metrics", "files"]

PART_OF: dict[str, Part] = {
    "feature_services": "features",
    "artifacts.features": "features",
    "artifacts.retrieval": "training",
    "artifacts.slates": "training",
    "artifacts.ranking": "training",
    "artifacts.evaluation": "metrics",
    "seeds": "training",
    "runs": "training",
    "components": "code",
    "remora": "code",
    "code": "code",
}
"""By the beginning of a fact's name in the lineage; all else is of the data."""


@dataclass(frozen=True, kw_only=True)
class ChangedFact:
    """One fact; None where a bundle has no such fact. ``by`` is after less before, of numbers."""

    part: Part
    name: str
    before: Any
    after: Any

    @property
    def by(self) -> float | None:
        """How much a number grew."""
        if all(isinstance(value, int | float) and not isinstance(value, bool) for value in (self.before, self.after)):
            with suppress(OverflowError):  # an integer of more than 308 digits
                return float(self.after - self.before)
        return None


def difference(one: Bundle, other: Bundle) -> list[ChangedFact]:
    """Every fact that is not the same in both, by part; the files' hashes are those of the manifests."""
    facts, others = _facts(one), _facts(other)
    names = dict.fromkeys([*facts, *others])
    changed = [
        ChangedFact(part=part, name=name, before=facts.get((part, name)), after=others.get((part, name)))
        for part, name in names
        if facts.get((part, name)) != others.get((part, name))
    ]
    order = get_args(Part)
    return sorted(changed, key=lambda change: order.index(change.part))


def _facts(bundle: Bundle) -> dict[tuple[Part, str], Any]:
    found: dict[tuple[Part, str], Any] = {}
    for name, value in _leaves(_json(bundle, LINEAGE)):
        found[_part(name), name] = value
    for name, value in _leaves(_json(bundle, "settings.json")):
        found["settings", name] = value
    for estimate in _json(bundle, METRICS).get("estimates", ()):
        if estimate["system"] == SURFACE:
            found["metrics", f"{estimate['metric']}@{estimate['cutoff']} {estimate['segment']}"] = estimate["mean"]
    for one in _json(bundle, METRICS).get("reliability", ()):
        found["metrics", f"calibration error {one['objective']} {one['segment']}"] = one["error"]
    for path, entry in bundle.manifest.files.items():
        found["files", path] = f"{entry.sha256[:16]} ({entry.bytes:,} bytes)"
    found["settings", "surfaces served"] = ", ".join(bundle.manifest.surfaces)
    return found


def _part(name: str) -> Part:
    return next((part for begins, part in PART_OF.items() if name == begins or name.startswith(f"{begins}.")), "data")


def _json(bundle: Bundle, path: str) -> Mapping[str, Any]:
    return bundle.read_json(path) if path in bundle.manifest.files else {}


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted name and value of everything in a JSON document that is no object; a list is one value."""
    if not isinstance(value, dict):
        yield name, value
        return
    for key, inside in value.items():
        yield from _leaves(inside, f"{name}.{key}" if name else str(key))
