"""What a gate says, and the checks of numbers against bounds that it is made of."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict


class GateVerdict(BaseModel):
    """One gate's. ``measured`` and ``bound`` are of the check that is nearest to failing, or furthest behind."""

    model_config = ConfigDict(frozen=True)

    gate: str
    passed: bool
    measured: float | None
    bound: float | None
    unit: str
    sentence: str
    evidence: dict[str, Any]
    repeatable: bool = True
    """Would the same be measured at another time? False where what else the machine does has a part in it."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """A number that must be ``at_most`` its bound, or else at least. A number that is missing (NaN) does not hold."""

    what: str
    measured: float
    bound: float
    unit: str
    at_most: bool = True

    @property
    def beyond(self) -> float:
        """How far on the wrong side of the bound, in the unit; 0 or less where it holds."""
        return self.measured - self.bound if self.at_most else self.bound - self.measured

    @property
    def holds(self) -> bool:
        """Is the number on the right side?"""
        return self.beyond <= 0

    @property
    def sentence(self) -> str:
        """Both numbers, and by how much they differ where the check fails.

        >>> Check(what="p99", measured=480, bound=75, unit="ms").sentence
        'p99 is 480 ms, 405 ms above the bound of 75 ms.'
        """
        unit = f" {self.unit}" if self.unit else ""
        measured, bound = f"{number(self.measured)}{unit}", f"{number(self.bound)}{unit}"
        if self.holds:
            return f"{self.what} is {measured}, {'at most' if self.at_most else 'at least'} {bound} is asked for."
        side = "above" if self.at_most else "below"
        return f"{self.what} is {measured}, {number(self.beyond)}{unit} {side} the bound of {bound}."


def number(value: float) -> str:
    """Four digits that count; more for what is whole.

    >>> number(0.123456), number(12345.0), number(float("nan"))
    ('0.1235', '12,345', 'not measured')
    """
    if math.isnan(value):
        return "not measured"
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.4g}"


def verdict_of(
    gate: str, checks: Sequence[Check], evidence: Any, *, remarks: Iterable[str] = (), repeatable: bool = True
) -> GateVerdict:
    """Passed when every check holds. ``evidence``: a dataclass; ``remarks`` follow the checks' sentences."""
    worst = max(checks, key=_urgency)
    failing = [check for check in checks if not check.holds]
    return GateVerdict(
        gate=gate,
        passed=not failing,
        measured=None if math.isnan(worst.measured) else worst.measured,
        bound=worst.bound,
        unit=worst.unit,
        sentence=" ".join([*(check.sentence for check in failing or [worst]), *remarks]),
        evidence=as_json(asdict(evidence)),
        repeatable=repeatable,
    )


def _urgency(check: Check) -> tuple[bool, float]:
    beyond = math.inf if math.isnan(check.beyond) else check.beyond
    return not check.holds, beyond / max(abs(check.bound), 1e-9)


def as_json(value: Any) -> Any:
    """The same for JSON, which has no NaN."""
    if isinstance(value, dict):
        return {str(name): as_json(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


ALONE = "There is no production to compare with: only the absolute bound holds."
