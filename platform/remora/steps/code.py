"""Which code makes a result: Remora's version, those of packages whose components the settings name, the commit."""

from __future__ import annotations

import os
import subprocess
from functools import cache
from pathlib import Path

import remora
from remora.extensions import choices
from remora.settings import Settings


def packages(settings: Settings | None) -> dict[str, str]:
    """Package -> version: Remora, and those whose components these settings name."""
    found = [choice.component for choice in choices(settings)] if settings else []
    named = {component.distribution: component.version for component in found}
    return {name: version for name, version in named.items() if name} | {"remora": remora.__version__}


@cache
def commit() -> str:
    """The checkout's commit; $REMORA_COMMIT where there is no checkout, as in a container; else empty."""
    if named := os.environ.get("REMORA_COMMIT"):
        return named
    checkout = Path(remora.__file__).parents[2]
    if not (checkout / ".git").exists():  # an installed package may lie within the repository of another project
        return ""
    asked = ["git", "-C", str(checkout), "rev-parse", "HEAD"]
    try:
        return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
    except FileNotFoundError:
        return ""
