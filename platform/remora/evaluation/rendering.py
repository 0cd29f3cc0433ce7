"""The report drawn for people: a few tables for the terminal, all of it as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from rich import box
from rich.table import Table

from remora.evaluation.cold_start import CUTOFF, ColdStart
from remora.evaluation.reliability import Reliability
from remora.evaluation.report import Difference, Estimate, EvaluationReport
from remora.evaluation.segments import ALL
from remora.evaluation.systems import WITHOUT


class _Table(NamedTuple):
    """One table: a title, the names of its columns, and its rows; the first column names the row."""

    title: str
    header: list[str]
    rows: list[list[str]]


def tables(report: EvaluationReport) -> Iterator[Table]:
    """What to see first: every system, how the surface differs from the others, and the segments."""
    if not report.cutoffs:
        return
    yield from _drawn(
        _overview(report), _differences(report), *_when_measured(report), _segments(report, *_headline(report)[0])
    )


def others(reports: Mapping[str, EvaluationReport]) -> Iterator[Table]:
    """Surfaces beside the one that is shown: each with its simpler relatives, by the metrics at the top."""
    rows, header = [], [""]
    for name, report in reports.items():
        if not (headline := _headline(report)):
            continue
        header = ["surface", "system", *(f"{report.titles[m]}@{k}" for m, k in headline), "queries"]
        for system in report.compared:
            measured = [_estimate(report.estimate(system, *one)) for one in headline]
            rows.append([name, system, *measured, f"{report.queries[ALL]:,}"])
    if rows:
        yield from _drawn(_Table("Other surfaces", header, rows))


def _drawn(*parts: _Table) -> Iterator[Table]:
    for part in parts:
        # One space between columns, so that the overview fits into a hundred.
        table = Table(
            title=part.title, title_justify="left", box=box.SIMPLE_HEAD, collapse_padding=True, pad_edge=False
        )
        for n, name in enumerate(part.header):
            table.add_column(name, justify="right" if n else "left", no_wrap=True)
        for row in part.rows:
            table.add_row(*row)
        yield table


def markdown(report: EvaluationReport) -> str:
    """Every number of the report, but for the metrics of segments beyond the first two."""
    parts = [
        *(_all_metrics(report, cutoff) for cutoff in report.cutoffs),
        *([_differences(report)] if report.differences else []),
        *_when_measured(report),
        *(_segments(report, *chosen) for chosen in _headline(report)),
    ]
    return "\n\n".join(["# Evaluation", summary(report), *map(_markdown, parts)]) + "\n"


def summary(report: EvaluationReport) -> str:
    """What was counted, in words."""
    degraded = ", ".join(f"{system} {count:,}" for system, count in report.degraded.items() if count)
    return (
        f"{report.queries[ALL]:,} queries of {report.users:,} users; {report.without_targets:,} more were left out "
        f"because nothing was wanted after them. Under a mean its {report.level:.0%} interval, from {report.samples:,} "
        f"resamples of the users; * where the interval of a difference excludes zero."
        + (f" Slates with a stage missing: {degraded}." if degraded else "")
    )


def _headline(report: EvaluationReport) -> list[tuple[str, int]]:
    """Order at the top of the slate, and what is found at all."""
    return [("ndcg", report.cutoffs[0]), ("recall", report.cutoffs[-1])] if report.cutoffs else []


def _overview(report: EvaluationReport) -> _Table:
    headline, first = _headline(report), report.cutoffs[0]
    others = [(metric, first) for metric in _present(report, first) if metric not in dict(headline)]
    rows = [
        [
            system,
            *(_estimate(report.estimate(system, *one)) for one in headline),
            *(_number(report.estimate(system, *one).mean, digits=3) for one in others),
        ]
        for system in report.compared
    ]
    headings = (f"{report.titles[m]} @{k}".replace(" ", "\n") for m, k in headline + others)
    return _Table("The systems", ["", *headings], rows)


def _all_metrics(report: EvaluationReport, cutoff: int) -> _Table:
    shown = _present(report, cutoff)
    rows = [[s, *(_estimate(report.estimate(s, metric, cutoff)) for metric in shown)] for s in report.compared]
    return _Table(f"First {cutoff} items", ["system", *(report.titles[m] for m in shown)], rows)


def _present(report: EvaluationReport, cutoff: int) -> Sequence[str]:
    there = {e.metric for e in report.estimates if e.cutoff == cutoff}
    return [metric for metric in report.titles if metric in there]


def _differences(report: EvaluationReport) -> _Table:
    against = [system for system in report.compared if any(d.against == system for d in report.differences)]
    headline = _headline(report)
    return _Table(
        "The surface less each other system, on the same users",
        ["against", *(f"{report.titles[m]}@{k}" for m, k in headline)],
        [[other, *(_difference(report.difference(other, *one)) for one in headline)] for other in against],
    )


def _when_measured(report: EvaluationReport) -> Iterator[_Table]:
    if report.sources:
        yield _sources(report)
    if report.reliability:
        yield _reliability(report.reliability)
    if report.cold_start is not None:
        yield _cold_start(report.cold_start)


def _sources(report: EvaluationReport) -> _Table:
    headline, adds, alone = _headline(report), [], []
    for source in report.sources:
        adds.append([_difference(report.difference(WITHOUT + source, *one)) for one in headline])
        alone.append([_estimate(report.estimate(report.alone(source), *one)) for one in headline])
    names = [f"{report.titles[metric]}@{k}" for metric, k in headline]
    return _Table(
        "What each source adds: retrieval less itself without it, on the same users; and each source alone",
        ["source", *(f"{name}\nadded" for name in names), *(f"{name}\nalone" for name in names)],
        [[source, *more, *own] for source, more, own in zip(report.sources, adds, alone, strict=True)],
    )


def _reliability(found: Sequence[Reliability]) -> _Table:
    return _Table(
        "What the ranker predicts and what came, on candidates of the test window",
        ["objective", "segment", "slates", "predicted", "observed", "calibration error"],
        [
            [
                one.objective,
                one.segment.replace("_", " "),
                f"{one.slates:,}",
                *(_number(value, digits=5) for value in (one.predicted, one.observed, one.error)),
            ]
            for one in found
        ],
    )


def _cold_start(found: ColdStart) -> _Table:
    ends = _ends(found.low, found.high)
    return _Table(
        f"Recall@{CUTOFF} of {found.hidden:,} of {found.items:,} items that were hidden from training, "
        f"{found.examples:,} times wanted by {found.users:,} users",
        [f"by content, {found.quota} of 100 for new items", "by content alone", "by chance", "by popularity"],
        [[_number(found.recall) + ends, *map(_number, (found.without_quota, found.random, found.popularity))]],
    )


def _segments(report: EvaluationReport, metric: str, cutoff: int) -> _Table:
    segments = [s for s, count in report.queries.items() if count and s != ALL]
    return _Table(
        f"{report.titles[metric]}@{cutoff} by segment",
        ["system", *(f"{s.replace('_', ' ')}\n({report.queries[s]:,} queries)" for s in segments)],
        [[s, *(_estimate(report.estimate(s, metric, cutoff, at)) for at in segments)] for s in report.compared],
    )


def _estimate(found: Estimate) -> str:
    return _number(found.mean) + _ends(found.low, found.high)


def _difference(found: Difference) -> str:
    return _number(found.mean, "+") + (" *" if found.excludes_zero else "") + _ends(found.low, found.high, "+")


def _number(value: float | None, sign: str = "", digits: int = 4) -> str:
    if value is None:
        return "–"
    return f"{value:{sign}.{digits if abs(value) <= 1 else 2}f}"


def _ends(low: float | None, high: float | None, sign: str = "") -> str:
    if low is None or high is None:
        return ""
    digits = 3 if abs(high) <= 1 else 2
    return f"\n{low:{sign}.{digits}f}…{high:{sign}.{digits}f}"


def _markdown(part: _Table) -> str:
    lines = [part.header, ["---", *["---:"] * (len(part.header) - 1)], *part.rows]
    return f"## {part.title}\n\n" + "\n".join(f"| {' | '.join(' '.join(c.split()) for c in line)} |" for line in lines)
