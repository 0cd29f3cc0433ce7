"""Plots of data with labels as shops have them."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import remora
from remora.evaluation.drawing import label, svg
from remora.training.ranking_report import Dependence, _dependence_plot

PRICE_TIERS = ("$", "$$", "$$$", r"$\x$", "$_{^", "a$b$c", "\x1b[2J", "\ud800", "<b>&", "_hidden", "x" * 5_000)


def dependence(labels: tuple[str, ...]) -> Dependence:
    values = tuple(float(i) for i in range(len(labels)))
    return Dependence(feature=r"item__$\tier$", values=values, labels=labels, means={"buy": values})


@pytest.mark.parametrize("tier", PRICE_TIERS)
def test_a_category_of_any_name_is_drawn(tier: str) -> None:
    drawn = _dependence_plot([dependence((tier, "other"))])
    assert ElementTree.fromstring(drawn).tag.endswith("svg")


def test_categories_that_look_alike_keep_a_place_each() -> None:
    tiers = ("x" * 5_000 + "1", "x" * 5_000 + "2")
    found = []

    def draw(axes):  # type: ignore[no-untyped-def]
        axis = axes[0, 0]
        axis.plot(range(2), (0, 1))
        axis.set_xticks(range(2), [label(each) for each in tiers])
        found.extend(axis.get_xticks())

    svg(draw, size=(3, 2))
    assert len(set(found)) == 2


@settings(max_examples=15, deadline=None)
@given(st.lists(st.text(st.sampled_from("$\\_^{}%#&<>\x00\x1b\ud800ab 東"), max_size=8), min_size=1, max_size=3))
def test_no_label_stops_a_report(labels: list[str]) -> None:
    ElementTree.fromstring(_dependence_plot([dependence(tuple(labels))]))


def test_a_plot_of_nothing_is_a_plot() -> None:
    ElementTree.fromstring(_dependence_plot([]))


def test_plots_are_drawn_in_one_place() -> None:
    package = Path(remora.__file__).parent
    drawing = {str(f.relative_to(package)) for f in package.rglob("*.py") if re.search("pyplot", f.read_text())}
    assert drawing == {"evaluation/drawing.py"}


def test_a_script_that_the_font_lacks_is_no_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _dependence_plot([dependence(("東京", "大阪"))])
