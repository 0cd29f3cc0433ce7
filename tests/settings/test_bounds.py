"""Every field of the settings tree, with values at and beyond its bounds; a new field without bounds fails here."""

from __future__ import annotations

import math
import types
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Union, get_args, get_origin

import annotated_types as at
import pytest
from pydantic import RootModel, ValidationError
from pydantic.fields import FieldInfo

from remora.core.section import Section
from remora.evaluation.metrics.metric import RelevanceMetric
from remora.extensions import ComponentChoice
from remora.settings import EvaluationSettings, Settings

NEEDED: dict[str, dict[str, Any]] = {
    "Settings": {
        "name": "shop",
        "data": {
            "events": [{"path": "e.csv", "format": "csv", "columns": {"user_id": "u"}, "event_type": "buy"}],
            "event_types": {"buy": {}},
        },
    },
    "SourceSettings": {"path": "e.csv", "format": "csv", "columns": {"user_id": "u"}},
    "EventTypeRule": {"when": "rating >= 4", "type": "buy"},
    "MetricBound": {"metric": "ndcg"},
    "ObjectiveSettings": {"events": ["buy"]},
    "Range": {"low": 1.0, "high": 2.0},
    "Choice": {"choices": [1]},
}
"""What a section cannot be made without."""
NEEDED["DataSettings"] = NEEDED["Settings"]["data"]

BOUNDED_BY_ANOTHER = {"Range.low", "Range.high", "EventTypeSettings.weight"}
"""Each end of a range is checked against the field that is tuned; a weight by what is made of it."""


@dataclass(frozen=True)
class Leaf:
    """A field of a section, and the type of one value of it; ``listed`` where it holds several, ``named`` by names."""

    section: type[Section]
    name: str
    field: FieldInfo
    kind: Any
    bounds: tuple[Any, ...]
    listed: bool
    named: bool = False

    def __str__(self) -> str:
        return f"{self.section.__name__}.{self.name}"

    def errors(self, value: Any) -> list[str]:
        """What the section says of the field with a value; of other fields and of combinations nothing."""
        given = NEEDED.get(self.section.__name__, {}) | {
            self.name: (value,) if self.listed else {"one": value} if self.named else value
        }
        try:
            self.section(**given)
        except ValidationError as error:
            return [e["msg"] for e in error.errors() if e["loc"][:1] == (self.name,)]
        return []

    def bound(self, *kinds: type) -> Any:
        found = [getattr(one, kind.__name__.lower()) for one in self.bounds for kind in kinds if isinstance(one, kind)]
        return found[0] if found else None


def leaves(section: type[Section], seen: set[type[Section]] | None = None) -> Iterator[Leaf]:
    seen = set() if seen is None else seen
    if section in seen:
        return
    seen.add(section)
    for name, field in section.model_fields.items():
        for kind, bounds, listed in parts(field.annotation, tuple(field.metadata)):
            if isinstance(kind, type) and issubclass(kind, ComponentChoice):
                continue  # a component's settings are its own: see tests/extensions
            if isinstance(kind, type) and issubclass(kind, RootModel):
                for of_root, _, _ in parts(kind.model_fields["root"].annotation):
                    if isinstance(of_root, type) and issubclass(of_root, Section):
                        yield from leaves(of_root, seen)
                continue
            if isinstance(kind, type) and issubclass(kind, Section):
                yield from leaves(kind, seen)
            else:
                named = kind is float and any(get_origin(one) is dict for one in alternatives(field.annotation))
                yield Leaf(section, name, field, kind, bounds, listed, named)


def alternatives(kind: Any) -> tuple[Any, ...]:
    """The types of a union; one type is one alternative."""
    return get_args(kind) if get_origin(kind) in (Union, types.UnionType) else (kind,)


def parts(kind: Any, bounds: tuple[Any, ...] = (), listed: bool = False) -> Iterator[tuple[Any, tuple[Any, ...], bool]]:
    """The types that a value may have, those of the members of tuples and dictionaries too."""
    if get_origin(kind) is Annotated:
        inner, *more = get_args(kind)
        more = [b for m in more for b in (m.metadata if isinstance(m, FieldInfo) else [m])]
        yield from parts(inner, (*bounds, *more), listed)
    elif get_origin(kind) in (Union, types.UnionType):
        for one in get_args(kind):
            yield from parts(one, bounds, listed)
    elif get_origin(kind) is tuple:
        yield from parts(get_args(kind)[0], (), True)
    elif get_origin(kind) is dict:
        yield from parts(get_args(kind)[1], (), listed)
    else:
        yield kind, bounds, listed


LEAVES = list(leaves(Settings))
NUMBERS = [leaf for leaf in LEAVES if leaf.kind in (int, float) and str(leaf) not in BOUNDED_BY_ANOTHER]


def test_the_walk_reaches_every_section() -> None:
    assert {leaf.section for leaf in LEAVES} >= set(all_sections())
    assert len(NUMBERS) > 100


def all_sections() -> Iterator[type[Section]]:
    left = [Section]
    while left:
        for one in left.pop().__subclasses__():
            left.append(one)
            made_of_sections = one.__name__ == "BundleSettings" or issubclass(one, ComponentChoice)
            derived_from = bool(one.__subclasses__())  # its fields are reached where they are inherited
            if one.__module__.startswith("remora.settings") and not made_of_sections and not derived_from:
                yield one


@pytest.mark.parametrize("leaf", NUMBERS, ids=str)
def test_a_number_has_bounds_and_keeps_to_them(leaf: Leaf) -> None:
    low, high = leaf.bound(at.Ge, at.Gt), leaf.bound(at.Le, at.Lt)
    assert low is not None, f"{leaf} has no lower bound: give it ge= or gt="
    assert high is not None, f"{leaf} has no upper bound: give it le= or lt="
    step = 1 if leaf.kind is int else 1e-9
    beyond_low = low if leaf.bound(at.Gt) is not None else low - step
    beyond_high = high if leaf.bound(at.Lt) is not None else high + max(step, abs(high) * 1e-9)
    for value in (beyond_low, beyond_high, low - 1, -(10**30), 10**30):
        assert leaf.errors(value), f"{leaf} takes {value}"
    inside_low = low + step if leaf.bound(at.Gt) is not None else low
    inside_high = high - step if leaf.bound(at.Lt) is not None else high
    for value in (inside_low, inside_high):
        assert not leaf.errors(value), f"{leaf} refuses {value}"


@pytest.mark.parametrize("leaf", [leaf for leaf in LEAVES if leaf.kind in (int, float)], ids=str)
def test_what_is_no_number_is_refused(leaf: Leaf) -> None:
    optional = type(None) in get_args(leaf.field.annotation) and not leaf.named
    for value in (math.nan, math.inf, -math.inf, "many", [], "1e999", True, *(() if optional else (None,))):
        assert leaf.errors(value), f"{leaf} takes {value!r}"


@pytest.mark.parametrize("leaf", [leaf for leaf in NUMBERS if leaf.listed], ids=str)
def test_a_list_of_numbers_is_neither_empty_nor_endless_nor_repeats(leaf: Leaf) -> None:
    given = NEEDED.get(leaf.section.__name__, {})
    for values in ((), (7, 7), tuple(range(1, 1_000))):
        with pytest.raises(ValidationError, match=leaf.name):
            leaf.section(**given | {leaf.name: values})


@pytest.mark.parametrize("leaf", [leaf for leaf in LEAVES if leaf.kind is str and not leaf.listed], ids=str)
def test_a_text_is_no_book(leaf: Leaf) -> None:
    if get_origin(leaf.field.annotation) is not dict:
        assert leaf.errors("x" * 100_000)


@pytest.mark.parametrize(
    ("section", "values", "says"),
    [
        ("features", {"windows_days": []}, "windows_days"),
        ("features", {"windows_days": [-3, 7]}, "windows_days"),
        ("gates", {"offline": []}, "offline"),
        ("gates", {"offline": [{"metric": "ndcg"}, {"metric": "ndcg"}]}, "ndcg@10 twice"),
        ("gates", {"offline": [{"metric": "ncdg"}]}, "metrics of relevance in evaluation.metrics are: ndcg"),
        ("evaluation", {"cutoffs": []}, "cutoffs"),
        ("evaluation", {"cutoffs": [10, 10]}, "10 is listed twice"),
        ("serving", {"port": 70_000}, "port"),
        ("serving", {"port": 9000, "grpc_port": 9000}, "two ports"),
        ("serving", {"host": "http://shop:80"}, "host"),
        ("retrieval", {"batch_size": 1}, "batch_size 1 leaves nothing"),
        ("tuning", {"ranking": {"trees": {}}}, "trees"),
        ("cluster", {"cpus": 0}, "cpus"),
        ("cluster", {"object_store_gib": 0.01}, "object_store_gib"),
    ],
)
def test_settings_that_would_crash_later_are_refused_when_they_are_read(section: str, values: Any, says: str) -> None:
    with pytest.raises(ValidationError, match=section) as raised:
        Settings(**NEEDED["Settings"], **{section: values})
    assert says in str(raised.value)


def test_a_gate_may_bound_each_metric_of_relevance_and_no_other() -> None:
    chosen = EvaluationSettings().metrics
    for metric in (choice.component.cls for choice in chosen):
        gates = {"offline": [{"metric": metric.name}]}
        if issubclass(metric, RelevanceMetric):
            assert Settings(**NEEDED["Settings"], gates=gates).gates.offline[0].metric == metric.name
        else:
            with pytest.raises(ValidationError, match=r"metrics of relevance in evaluation.metrics are: ndcg, recall"):
                Settings(**NEEDED["Settings"], gates=gates)


def test_two_metrics_of_one_name_are_refused() -> None:
    same = ["ndcg", "remora.evaluation.metrics.ndcg:NDCG"]
    with pytest.raises(ValidationError, match="two of the name ndcg"):
        EvaluationSettings(metrics=same)  # type: ignore[arg-type]
