"""Bounds that fields of several sections share; every number of the settings has a lower and an upper one."""

from __future__ import annotations

from typing import Annotated, TypeVar

from pydantic import AfterValidator, Field

MOST_ITEMS = 500
"""The API's own limit for a slate."""

MOST_DAYS = 36_500
MOST_SECONDS = 31_536_000
"""A year: longer waits are a mistake of the unit."""
MOST_TIMEOUT_MS = 600_000
MOST_MIB = 16_777_216
"""16 TiB."""

T = TypeVar("T")


def _distinct(values: tuple[T, ...]) -> tuple[T, ...]:
    if twice := [value for n, value in enumerate(values) if value in values[:n]]:
        raise ValueError(f"{twice[0]} is listed twice")
    return values


Each = Annotated[tuple[T, ...], AfterValidator(_distinct)]
"""Values of which none is listed twice."""

Seed = Annotated[int, Field(ge=0, le=2**31 - 1)]
"""What NumPy, PyTorch and XGBoost all take."""

Days = Annotated[int, Field(ge=1, le=MOST_DAYS)]
Cutoff = Annotated[int, Field(ge=1, le=MOST_ITEMS)]
"""How many items of a slate are judged."""
