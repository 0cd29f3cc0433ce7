"""A metric from a package of one's own, as the how-to page writes it, is chosen, measured and reported."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from rich.console import Console
from tests.docs.pages import ROOT, blocks
from tests.evaluation import toys
from tests.extensions.packages import install, on_the_path

from remora.core.errors import MissingInput
from remora.evaluation.metrics import metrics_at
from remora.evaluation.rendering import markdown, tables
from remora.evaluation.report import report
from remora.settings import EvaluationSettings

PAGE = ROOT / "docs/how-to/add_metric.md"
PRICES = np.where(np.arange(toys.ITEMS) == 3, np.nan, np.arange(toys.ITEMS)).astype(np.float32)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[None]:
    """The package of the page, installed."""
    (code,) = blocks(PAGE, "python")
    points = {"remora.metrics": {"mean_of_column": "shop_metrics:MeanOfColumn"}}
    install(tmp_path, "my-shop", modules={"shop_metrics": code}, groups=points)
    with on_the_path(tmp_path):
        yield


def settings(**changes: Any) -> EvaluationSettings:
    """Those of the page, with the name that the package registers."""
    written = yaml.safe_load(next(blocks(PAGE, "yaml")))["evaluation"]["metrics"]
    written[-1] |= {"type": "mean_of_column"} | changes
    return toys.SETTINGS.model_validate(toys.SETTINGS.model_dump() | {"metrics": written})


def column(name: str) -> Any:
    if name != "item_profile__price":
        raise MissingInput("column of the items", name, ["item_profile__price"])
    return PRICES


@pytest.mark.usefixtures("shop")
def test_it_is_measured_over_slates_and_reported_under_its_title() -> None:
    chosen = settings()
    items = replace(toys.CATALOGUE, column=column)
    metrics = metrics_at(chosen.cutoffs, items, chosen.metrics)
    tally = replace(toys.replay(), metrics=metrics).run(toys.queries())
    found = report(tally, chosen)
    assert list(found.titles) == ["ndcg", "recall", "coverage", "mean_of_column"]
    # The first two of the most popular: prices 0 and 1. Those of one parity: 0 and 2, or 1 and 3, which has no price.
    assert found.estimate("popularity", "mean_of_column", 2).mean == 0.5
    surface = found.estimate("surface", "mean_of_column", 2)
    assert surface.mean == pytest.approx((0 + 2 + 1) / 3)
    assert surface.low is not None
    assert "mean price" in markdown(found)
    console = Console(file=io.StringIO(), width=120)
    for table in tables(found):
        console.print(table)
    assert "price" in console.file.getvalue()  # type: ignore[attr-defined]
    assert type(found).model_validate_json(found.model_dump_json()) == found


@pytest.mark.usefixtures("shop")
def test_a_column_that_is_not_there_is_named_with_those_that_are() -> None:
    chosen = settings(column="item_profile__weight")
    with pytest.raises(MissingInput, match=r"item_profile__weight.*There is: item_profile__price"):
        metrics_at(chosen.cutoffs, replace(toys.CATALOGUE, column=column), chosen.metrics)
