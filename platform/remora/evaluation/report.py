"""The report of an evaluation: each system's means with intervals, and how the surface differs from the others."""

from __future__ import annotations

import math
from collections.abc import Iterator

from pydantic import BaseModel, ConfigDict

from remora.core.errors import NotFound
from remora.evaluation.accumulator import Column, ReplaySums
from remora.evaluation.bootstrap import Bootstrap, Interval
from remora.evaluation.cold_start import ColdStart
from remora.evaluation.metrics.chosen import metric_titles
from remora.evaluation.reliability import Reliability
from remora.evaluation.segments import ALL, SEGMENTS
from remora.evaluation.systems import CO_VISITATION, CO_VISITED, ONLY, RETRIEVAL, SURFACE, WITHOUT
from remora.settings import EvaluationSettings

LEVEL = 0.95


class Estimate(BaseModel):
    """One number: the mean over ``queries`` of ``users``, and its interval; None where none exists."""

    model_config = ConfigDict(frozen=True)

    system: str
    metric: str
    cutoff: int
    segment: str
    mean: float | None
    low: float | None = None
    high: float | None = None
    queries: int
    users: int


class Difference(BaseModel):
    """``system`` less ``against`` on the same resamples of the same users."""

    model_config = ConfigDict(frozen=True)

    system: str
    against: str
    metric: str
    cutoff: int
    segment: str
    mean: float | None
    low: float | None
    high: float | None

    @property
    def excludes_zero(self) -> bool:
        """Is the whole interval on one side of zero?"""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


class EvaluationReport(BaseModel):
    """Everything that an evaluation found.

    ``titles`` has the headings of the metrics, in their order. ``queries`` counts by segment; ``without_targets`` were
    left out because nothing was wanted after them; ``degraded`` counts slates by system that some stage was missing
    from.
    """

    model_config = ConfigDict(frozen=True)

    systems: tuple[str, ...]
    cutoffs: tuple[int, ...]
    titles: dict[str, str]
    users: int
    queries: dict[str, int]
    without_targets: int
    degraded: dict[str, int]
    level: float
    samples: int
    seed: int
    estimates: tuple[Estimate, ...]
    differences: tuple[Difference, ...]
    reliability: tuple[Reliability, ...] = ()
    cold_start: ColdStart | None = None

    @property
    def compared(self) -> tuple[str, ...]:
        """The systems that stand for themselves, not for what a source adds."""
        return tuple(system for system in self.systems if not system.startswith((WITHOUT, ONLY)))

    @property
    def sources(self) -> tuple[str, ...]:
        """The sources of retrieval whose worth was measured."""
        return tuple(system.removeprefix(WITHOUT) for system in self.systems if system.startswith(WITHOUT))

    def alone(self, source: str) -> str:
        """The system that is one source by itself."""
        return CO_VISITATION if source == CO_VISITED else ONLY + source

    def estimate(self, system: str, metric: str, cutoff: int, segment: str = ALL) -> Estimate:
        """One number of the report; NotFound for an unknown name."""
        for found in self.estimates:
            if (found.system, found.metric, found.cutoff, found.segment) == (system, metric, cutoff, segment):
                return found
        raise NotFound("estimate", f"{system} {metric}@{cutoff} {segment}", f"Systems: {', '.join(self.systems)}.")

    def difference(self, against: str, metric: str, cutoff: int, segment: str = ALL) -> Difference:
        """What was compared with ``against``, less it; NotFound for an unknown name."""
        for found in self.differences:
            if (found.against, found.metric, found.cutoff, found.segment) == (against, metric, cutoff, segment):
                return found
        raise NotFound("difference", f"against {against}, {metric}@{cutoff} {segment}")


def report(sums: ReplaySums, settings: EvaluationSettings, *, without_targets: int = 0) -> EvaluationReport:
    """Turn sums into means with 95% intervals over users.

    The surface is compared with every other system, retrieval with itself without each source and with each alone.
    """
    columns = (*sums.columns, *sums.covered)
    estimates, differences = [*_covered(sums)], []
    for segment in SEGMENTS:
        of_segment = [column for column in sums.columns if column.segment == segment]
        if not of_segment:
            continue
        at = [sums.columns.index(column) for column in of_segment]
        found = Bootstrap.over_users(
            sums.totals[:, at],
            sums.counts[:, at],
            samples=settings.bootstrap_samples,
            seed=settings.seed,
            level=LEVEL,
        )
        index = {column: n for n, column in enumerate(of_segment)}
        estimates += [_estimate(sums, column, found.interval(n)) for column, n in index.items()]
        for column, n in index.items():
            system = _compared_with(column.system)
            own = index.get(column._replace(system=system))
            if column.system != system and own is not None:
                differences.append(_difference(system, column, found.difference(own, n)))
    return EvaluationReport(
        systems=tuple(dict.fromkeys(column.system for column in columns)),
        cutoffs=tuple(sorted({column.cutoff for column in columns})),
        titles=metric_titles(settings.metrics),
        users=len(sums.users),
        queries={segment: sums.queries.get(segment, 0) for segment in SEGMENTS},
        without_targets=without_targets,
        degraded=dict(sums.degraded),
        level=LEVEL,
        samples=settings.bootstrap_samples,
        seed=settings.seed,
        estimates=tuple(estimates),
        differences=tuple(differences),
    )


def _compared_with(system: str) -> str:
    """Retrieval is compared with itself without a source and with one alone, the surface with everything else."""
    return RETRIEVAL if system.startswith((WITHOUT, ONLY)) else SURFACE


def _covered(sums: ReplaySums) -> Iterator[Estimate]:
    for column, covered in sums.covered.items():
        users = _users(sums, column.segment)
        yield Estimate(
            **column._asdict(), mean=_number(covered.value), queries=sums.queries[column.segment], users=users
        )


def _users(sums: ReplaySums, segment: str) -> int:
    at = [n for n, column in enumerate(sums.columns) if column.segment == segment]
    return int((sums.counts[:, at] > 0).any(axis=1).sum())


def _estimate(sums: ReplaySums, column: Column, found: Interval) -> Estimate:
    counts = sums.counts[:, sums.columns.index(column)]
    return Estimate(
        **column._asdict(),
        mean=_number(found.mean),
        low=_number(found.low),
        high=_number(found.high),
        queries=int(counts.sum()),
        users=int((counts > 0).sum()),
    )


def _difference(system: str, against: Column, found: Interval) -> Difference:
    return Difference(
        **{**against._asdict(), "system": system},
        against=against.system,
        mean=_number(found.mean),
        low=_number(found.low),
        high=_number(found.high),
    )


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value
