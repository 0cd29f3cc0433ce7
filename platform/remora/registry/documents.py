"""The documents of a bundle that people and gates read: a bundle is refused unless each has the shape they need."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from remora.core.errors import Refused
from remora.core.json_document import mistakes, parse_json
from remora.core.printable import one_line
from remora.registry.lineage import Lineage
from remora.registry.manifest import Manifest
from remora.settings.bundle import FILE as SETTINGS
from remora.settings.bundle import BundleSettings

LINEAGE, METRICS, CARD = "lineage.json", "metrics.json", "card.md"
MOST_BYTES = 64 << 20
"""Of one document, which is read into memory."""

GET_AGAIN = "Get the bundle again from where it was made, or build it again."

Document = TypeVar("Document", bound=BaseModel)
Finite = Annotated[float, Field(allow_inf_nan=False)]


class _Part(BaseModel):
    # Strict, as the numbers are formatted and compared as they are written.
    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


class EstimateRead(_Part):
    """What is read of one estimate of an evaluation report."""

    system: str
    metric: str
    cutoff: int
    segment: str
    mean: Finite | None
    low: Finite | None
    high: Finite | None
    queries: int
    users: int


class ReliabilityRead(_Part):
    """What is read of one objective's calibration."""

    objective: str
    segment: str
    slates: int
    predicted: Finite
    observed: Finite
    error: Finite


class MetricsRead(_Part):
    """What is read of an evaluation report; all of it may be absent where nothing was evaluated."""

    level: Finite = 0.95
    samples: int = 0
    seed: int = 0
    estimates: tuple[EstimateRead, ...] = ()
    reliability: tuple[ReliabilityRead, ...] = ()


def lineage_of(content: bytes, where: str, hint: str = GET_AGAIN) -> Lineage:
    """The lineage in a file's content; Refused for anything else."""
    return _parsed(Lineage, content, where, hint)


def metrics_of(content: bytes, where: str, hint: str = GET_AGAIN) -> dict[str, Any]:
    """The evaluation report in a file's content, empty where nothing was evaluated; Refused for anything else."""
    _parsed(MetricsRead, content, where, hint)
    found: dict[str, Any] = json.loads(content)
    if found.get("estimates") and (missing := {"level", "samples", "seed"} - found.keys()):
        raise Refused(f"'{where}' has estimates and no {sorted(missing)[0]}. {hint}")
    return found


def finite(value: Any) -> Any:
    """A JSON value in which a number that is not finite, which no JSON has, is null: nothing was measured there.

    >>> finite({"mean": float("nan"), "bins": [1.0]})
    {'mean': None, 'bins': [1.0]}
    """
    if isinstance(value, Mapping):
        return {key: finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def check_documents(manifest: Manifest, read: Callable[[str], bytes], name: Callable[[str], str]) -> None:
    """Refused, with the file and the reason, unless all of them can be read and fit each other.

    ``read`` gives the content of a file of the bundle, ``name`` how the error names it.
    """
    checks: Mapping[str, Callable[[bytes, str], object]] = {
        LINEAGE: lineage_of,
        METRICS: metrics_of,
        CARD: _text,
        SETTINGS: lambda content, where: _fits(BundleSettings.parse(content, where), manifest, where),
    }
    for path, check in checks.items():
        if path not in manifest.files:
            if path != SETTINGS:  # what serves asks for it
                raise Refused(f"The bundle has no {path}, which every bundle of Remora has. {GET_AGAIN}")
            continue
        if (size := manifest.files[path].bytes) > MOST_BYTES:
            raise Refused(f"'{name(path)}' has {size:,} bytes; at most {MOST_BYTES:,} are read. {GET_AGAIN}")
        check(read(path), name(path))


def _parsed(model: type[Document], content: bytes, where: str, hint: str) -> Document:
    parse_json(content, where, hint)
    try:
        return model.model_validate_json(content)
    except ValidationError as error:
        raise Refused(
            f"'{where}' is not what this file of a bundle holds: {mistakes(error, most=3)}. {hint}"
        ) from error


def _text(content: bytes, where: str) -> None:
    try:
        content.decode()
    except UnicodeDecodeError as error:
        raise Refused(f"'{where}' is no text in UTF-8: {error}. {GET_AGAIN}") from error


def _fits(settings: BundleSettings, manifest: Manifest, where: str) -> None:
    known = settings.surfaces.names
    if unknown := [name for name in manifest.surfaces if name not in known]:
        raise Refused(
            f"The manifest names the surface {one_line(unknown[0])}, which '{where}' does not have; it has "
            f"{', '.join(known)}. {GET_AGAIN}"
        )
