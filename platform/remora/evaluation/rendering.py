"""The report drawn for people: tables for the terminal, Markdown for files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.table import Table

from remora.evaluation.report import Difference, Estimate, EvaluationReport
from remora.evaluation.segments import ALL

TITLES = {
    "ndcg": "NDCG",
    "recall": "recall",
    "mrr": "MRR",
    "map": "MAP",
    "hit_rate": "hit rate",
    "coverage": "coverage",
    "novelty": "novelty (bits)",
    "intra_list_diversity": "diversity",
    "popularity_bias": "popularity bias",
}
Rows = list[list[str]]


def tables(report: EvaluationReport) -> Iterator[Table]:
    """Every part of the report as a rich table."""
    for title, header, rows in _parts(report):
        table = Table(title=title, title_justify="left", show_lines=False)
        for n, name in enumerate(header):
            table.add_column(name, justify="left" if n == 0 else "right", no_wrap=n == 0)
        for row in rows:
            table.add_row(*row)
        yield table


def markdown(report: EvaluationReport) -> str:
    """Every part of the report as Markdown tables."""
    pages = []
    for title, header, rows in _parts(report):
        lines = [header, ["---"] + ["---:"] * (len(header) - 1), *rows]
        pages.append(f"## {title}\n\n" + "\n".join(map(_line, lines)))
    return "\n\n".join(["# Evaluation", summary(report), *pages]) + "\n"


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cell.replace(chr(10), ' ') for cell in cells)} |"


def _parts(report: EvaluationReport) -> Iterator[tuple[str, list[str], Rows]]:
    for cutoff in report.cutoffs:
        shown = [m for m in TITLES if any((e.metric, e.cutoff) == (m, cutoff) for e in report.estimates)]
        yield f"First {cutoff} items", ["system", *(TITLES[m] for m in shown)], _by_metric(report, cutoff, shown)
    if not report.cutoffs:
        return
    first, last = report.cutoffs[0], report.cutoffs[-1]
    chosen = [("ndcg", first), ("recall", last)]
    against = list(dict.fromkeys(d.against for d in report.differences))
    yield (
        "The surface less each other system, on the same users",
        ["against", *(f"{TITLES[m]}@{k}" for m, k in chosen)],
        [[a, *(_difference(report.difference(a, m, k)) for m, k in chosen)] for a in against],
    )
    segments = [s for s, count in report.queries.items() if count and s != ALL]
    for metric, cutoff in chosen:
        yield (
            f"{TITLES[metric]}@{cutoff} by segment",
            ["system", *(f"{s.replace('_', ' ')}\n({report.queries[s]:,} queries)" for s in segments)],
            [[s, *(_estimate(report.estimate(s, metric, cutoff, at)) for at in segments)] for s in report.systems],
        )


def _by_metric(report: EvaluationReport, cutoff: int, shown: Sequence[str]) -> Rows:
    return [[system, *(_estimate(report.estimate(system, m, cutoff)) for m in shown)] for system in report.systems]


def _estimate(found: Estimate) -> str:
    return _interval(found.mean, found.low, found.high)


def _difference(found: Difference) -> str:
    return _interval(found.mean, found.low, found.high, signed=True) + (" *" if found.excludes_zero else "")


def _interval(mean: float | None, low: float | None, high: float | None, *, signed: bool = False) -> str:
    if mean is None:
        return "–"
    sign = "+" if signed else ""
    digits = 4 if abs(mean) < 1 else 2
    ends = "" if low is None or high is None else f"\n{low:{sign}.{digits}f} … {high:{sign}.{digits}f}"
    return f"{mean:{sign}.{digits}f}{ends}"


def summary(report: EvaluationReport) -> str:
    """What was counted, in words."""
    degraded = ", ".join(f"{system} {count:,}" for system, count in report.degraded.items() if count)
    return (
        f"{report.queries[ALL]:,} queries of {report.users:,} users; {report.without_targets:,} more were left out "
        f"because nothing was wanted after them. Under each mean its {report.level:.0%} interval, from "
        f"{report.samples:,} resamples of the users; * where the interval of a difference excludes zero."
        + (f" Slates with a stage missing: {degraded}." if degraded else "")
    )
