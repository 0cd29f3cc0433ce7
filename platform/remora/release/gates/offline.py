"""Gate: on the same fresh test data, is no surface of the candidate worse than production's?

Non-inferiority by interval: what may be lost is fixed beforehand, and the whole interval must lie above it (G. Piaggio
et al., Reporting of noninferiority and equivalence randomized trials, JAMA 2012). Too few queries fail, not pass.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import nan

from remora.release.gates.verdict import ALONE, Check, GateVerdict, verdict_of
from remora.settings import GatesSettings, MetricBound

GATE = "offline"


@dataclass(frozen=True, kw_only=True)
class MetricComparison:
    """One metric's means, and the interval of candidate less production; None where there is no production.

    Of ``surface``; None is the one that the ranker learns from.
    """

    metric: str
    cutoff: int
    candidate: float
    production: float | None = None
    low: float | None = None
    high: float | None = None
    surface: str | None = None


@dataclass(frozen=True, kw_only=True)
class Offline:
    """What ``queries`` of ``users`` between ``start`` and ``end`` say of both."""

    queries: int
    users: int
    start: str
    end: str
    compared: tuple[MetricComparison, ...]

    def of(self, bound: MetricBound) -> MetricComparison:
        """The comparison of the ranked surface by one metric; of NaN where it was not measured."""
        for one in self.compared:
            if (one.metric, one.cutoff, one.surface) == (bound.metric, bound.cutoff, None):
                return one
        return MetricComparison(metric=bound.metric, cutoff=bound.cutoff, candidate=nan)

    def of_others(self, bound: MetricBound) -> Iterator[MetricComparison]:
        """The same of the other surfaces of both bundles."""
        for one in self.compared:
            if (one.metric, one.cutoff) == (bound.metric, bound.cutoff) and one.surface is not None:
                yield one


def decide(evidence: Offline, bounds: GatesSettings) -> GateVerdict:
    """Passed when every metric of the settings reaches its floor, and loses no more than its margin of production.

    The floors are those of the surface that the ranker learns from; the margins hold for every surface.
    """
    level = bounds.confidence_level
    checks = [check for bound in bounds.offline for check in _checks(evidence.of(bound), bound, level)]
    for bound in bounds.offline:
        checks += [check for one in evidence.of_others(bound) for check in _not_worse(one, bound, level)]
    if not evidence.queries:
        checks = [Check(what="The number of queries", measured=0, bound=1, unit="", at_most=False)]
    alone = all(one.production is None for one in evidence.compared)
    return verdict_of(GATE, checks, evidence, remarks=[ALONE] if alone else _means(evidence))


def _checks(found: MetricComparison, bound: MetricBound, level: float) -> Iterator[Check]:
    yield Check(what=_name(found), measured=found.candidate, bound=bound.floor, unit="", at_most=False)
    yield from _not_worse(found, bound, level)


def _not_worse(found: MetricComparison, bound: MetricBound, level: float) -> Iterator[Check]:
    if found.production is not None:
        yield Check(
            what=f"The lower end of the {level:.0%} interval of candidate less production, {_name(found)},",
            measured=nan if found.low is None else found.low,
            bound=-bound.margin * found.production,
            unit="",
            at_most=False,
        )


def _name(found: MetricComparison) -> str:
    return f"{found.metric}@{found.cutoff}" + (f" of {found.surface}" if found.surface else "")


def _means(evidence: Offline) -> Iterator[str]:
    for one in evidence.compared:
        if one.production is not None:
            yield f"{_name(one)}: candidate {one.candidate:.4f}, production {one.production:.4f}."
