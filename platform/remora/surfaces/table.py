"""The surfaces there are, by the name that a request gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from remora.pipeline import Pipeline
from remora.surfaces.home_feed import home_feed
from remora.surfaces.parts import Parts
from remora.surfaces.similar_items import similar_items

SURFACES: Mapping[str, Callable[[Parts], Pipeline]] = {"home_feed": home_feed, "similar_items": similar_items}


def pipelines(parts: Parts) -> dict[str, Pipeline]:
    """Every surface of the table, made of the parts."""
    return {name: surface(parts) for name, surface in SURFACES.items()}
