"""As much of PromQL as the alerts use, over scrapes at instants; the grammar is the one of Prometheus (promql-parser).

Semantics follow Prometheus and were checked against `promtool test rules` on the scrapes of these tests: instant
vectors look back five minutes and not past a scrape that lacks the series, `rate` extrapolates to the window's ends.
"""

from __future__ import annotations

import itertools
import math
import operator
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import promql_parser as grammar
from prometheus_client.parser import text_string_to_metric_families

LOOKBACK_SECONDS = 300.0
NAME = "__name__"

Labels = frozenset[tuple[str, str]]
Vector = dict[Labels, float]

BINARY: dict[str, Callable[[float, float], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": lambda a, b: a / b if b else (math.nan if a == 0 or math.isnan(a) else math.copysign(math.inf, a)),
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
}
COMPARISONS = (">", "<", ">=", "<=", "==", "!=")
AGGREGATIONS: dict[str, Callable[[Sequence[float]], float]] = {"sum": sum, "max": max, "min": min, "count": len}


def samples(text: str) -> Vector:
    """The samples of one exposition."""
    found: Vector = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found[frozenset({**sample.labels, NAME: sample.name}.items())] = sample.value
    return found


@dataclass(frozen=True)
class Series:
    """Scrapes by their instants, in seconds and in order; every scrape has all that its exporters had."""

    scrapes: Sequence[tuple[float, Vector]]

    @cached_property
    def _named(self) -> list[tuple[float, Mapping[str, Vector]]]:
        """The scrapes, each by its metrics' names."""
        found = []
        for t, vector in self.scrapes:
            by_name: dict[str, Vector] = defaultdict(dict)
            for labels, value in vector.items():
                by_name[dict(labels)[NAME]][labels] = value
            found.append((t, by_name))
        return found

    def query(self, expression: str, at: float) -> Vector | float:
        """The value of an expression at an instant."""
        return self._value(grammar.parse(expression), at)

    def _value(self, node: Any, at: float) -> Any:
        match type(node).__name__:
            case "NumberLiteral":
                return float(node.val)
            case "ParenExpr":
                return self._value(node.expr, at)
            case "VectorSelector":
                return self._instant(node, at)
            case "AggregateExpr":
                return self._aggregate(node, at)
            case "BinaryExpr":
                return self._binary(node, at)
            case "Call":
                return self._call(node, at)
        raise NotImplementedError(f"{type(node).__name__} in an alert: {node}")

    def _instant(self, selector: Any, at: float) -> Vector:
        newest = [named for t, named in self._named if at - LOOKBACK_SECONDS < t <= at]
        found = newest[-1].get(selector.name, {}) if newest else {}
        return {k: v for k, v in found.items() if _matches(selector, k)}

    def _range(self, selector: Any, at: float) -> dict[Labels, list[tuple[float, float]]]:
        points: dict[Labels, list[tuple[float, float]]] = defaultdict(list)
        begin = at - selector.range.total_seconds()
        for t, named in self._named:
            if begin < t <= at:
                for labels, value in named.get(selector.vector_selector.name, {}).items():
                    if _matches(selector.vector_selector, labels):
                        points[labels].append((t, value))
        return points

    def _call(self, node: Any, at: float) -> Any:
        name, arguments = node.func.name, node.args
        if name == "time":
            return at
        if name == "histogram_quantile":
            return _quantiles(self._value(arguments[0], at), self._value(arguments[1], at))
        ranged = self._range(arguments[0], at) if type(arguments[0]).__name__ == "MatrixSelector" else {}
        if name == "rate":
            window = arguments[0].range.total_seconds()
            rates = {labels: _rate(points, at - window, at) for labels, points in ranged.items()}
            return {_nameless(labels): rate for labels, rate in rates.items() if rate is not None}
        if name in ("max_over_time", "min_over_time"):
            best = max if name.startswith("max") else min
            return {_nameless(labels): best(v for _, v in points) for labels, points in ranged.items()}
        if name == "absent_over_time":
            equals = [m for m in arguments[0].vector_selector.matchers.matchers if str(m.op) == "MatchOp.Equal"]
            return {} if ranged else {frozenset((m.name, m.value) for m in equals if m.name != NAME): 1.0}
        raise NotImplementedError(f"{name}() in an alert")

    def _aggregate(self, node: Any, at: float) -> Vector:
        by = set(node.modifier.labels) if node.modifier else set()
        groups: dict[Labels, list[float]] = defaultdict(list)
        for labels, value in self._value(node.expr, at).items():
            groups[frozenset((k, v) for k, v in labels if k in by)].append(value)
        return {labels: float(AGGREGATIONS[str(node.op)](values)) for labels, values in groups.items()}

    def _binary(self, node: Any, at: float) -> Any:
        op, left, right = str(node.op), self._value(node.lhs, at), self._value(node.rhs, at)
        if op == "or":
            return left | {labels: v for labels, v in right.items() if labels not in {_nameless(k) for k in left}}
        if isinstance(left, float) and isinstance(right, float):
            return float(BINARY[op](left, right))
        keep_name = op in COMPARISONS
        rights = right if isinstance(right, float) else {_nameless(k): v for k, v in right.items()}
        lefts = left.items() if isinstance(left, dict) else [(k, left) for k in rights]
        found: Vector = {}
        for labels, value in lefts:
            other = rights if isinstance(rights, float) else rights.get(_nameless(labels))
            if other is None:
                continue
            if not keep_name:
                found[_nameless(labels)] = BINARY[op](value, other)
            elif BINARY[op](value, other):
                found[labels] = value
        return found


def _nameless(labels: Labels) -> Labels:
    return frozenset((k, v) for k, v in labels if k != NAME)


def _matches(selector: Any, labels: Labels) -> bool:
    have = dict(labels)
    return all(_fits(matcher, have.get(matcher.name, "")) for matcher in selector.matchers.matchers)


def _fits(matcher: Any, value: str) -> bool:
    match str(matcher.op):
        case "MatchOp.Equal":
            return value == matcher.value
        case "MatchOp.NotEqual":
            return value != matcher.value
        case "MatchOp.Re":
            return re.fullmatch(matcher.value, value) is not None
    return re.fullmatch(matcher.value, value) is None


def _rate(points: Sequence[tuple[float, float]], begin: float, end: float) -> float | None:
    """Prometheus' extrapolated rate per second of a counter that may begin again at 0; None of one sample."""
    if len(points) < 2:
        return None
    (first, value), (last, _) = points[0], points[-1]
    steps = itertools.pairwise(points)
    grown = sum(after - before if after >= before else after for (_, before), (_, after) in steps)
    sampled, between = last - first, (last - first) / (len(points) - 1)
    to_start, to_end = first - begin, end - last
    if grown > 0 and value >= 0:
        to_start = min(to_start, sampled * value / grown)
    threshold = 1.1 * between
    covered = sampled + (to_start if to_start < threshold else between / 2)
    covered += to_end if to_end < threshold else between / 2
    return grown * covered / sampled / (end - begin)


def _quantiles(q: float, buckets: Mapping[Labels, float]) -> Vector:
    groups: dict[Labels, list[tuple[float, float]]] = defaultdict(list)
    for labels, count in buckets.items():
        rest = frozenset((k, v) for k, v in labels if k not in ("le", NAME))
        groups[rest].append((float(dict(labels)["le"].replace("Inf", "inf")), count))
    return {labels: _quantile(q, sorted(of)) for labels, of in groups.items()}


def _quantile(q: float, buckets: Sequence[tuple[float, float]]) -> float:
    """Linear within the bucket that has it; the highest finite bound where it lies above that."""
    rank, below, floor = q * buckets[-1][1], 0.0, 0.0
    if not buckets[-1][1]:
        return math.nan
    for bound, count in buckets:
        if count >= rank:
            return floor if math.isinf(bound) else floor + (bound - floor) * (rank - below) / (count - below)
        below, floor = count, bound
    return floor


def names(expressions: Iterable[str]) -> set[str]:
    """The metrics that expressions ask for."""
    found = set[str]()

    def visit(node: Any) -> bool:
        if type(node).__name__ == "VectorSelector":
            found.add(node.name)
        return True

    for expression in expressions:
        grammar.walk(grammar.parse(expression), visit)
    return found
