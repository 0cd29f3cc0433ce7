"""Which bundle a rollback returns to: production's bundles as a line, in which a rollback is a step back."""

from __future__ import annotations

from collections.abc import Iterable

from remora.control.traffic import PRODUCTION
from remora.registry.promotions import ROLLBACK, Promotion


def succession(promotions: Iterable[Promotion]) -> tuple[str, ...]:
    """Production's bundles as they followed each other, each once, the present one last; oldest promotion first.

    A promotion adds to the end. A rollback takes off what came after the bundle that it returned to, so that the next
    one goes further back and never forward to what was rolled back.
    """
    line: list[str] = []
    for one in promotions:
        if one.alias != PRODUCTION or not one.done:
            continue
        if one.kind == ROLLBACK and one.bundle in line:
            line = line[: line.index(one.bundle) + 1]
        else:
            taken_back = one.previous if one.kind == ROLLBACK else None
            line = [bundle for bundle in line if bundle not in (one.bundle, taken_back)] + [one.bundle]
    return tuple(line)


def before(line: tuple[str, ...], bundle: str) -> str | None:
    """What came before ``bundle`` in the line; None where it was the first. What is not in the line comes after it."""
    earlier = line[: line.index(bundle)] if bundle in line else line
    return earlier[-1] if earlier else None
