from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console
from tests.evaluation import toys

from remora.cli.evaluate import render
from remora.core.artifacts import Artifact
from remora.core.errors import NotFound
from remora.core.home import Home
from remora.evaluation.report import report
from remora.workflow.evaluation import Evaluation


def test_the_evaluation_is_drawn_with_what_it_counted_and_what_comes_next(tmp_path: Path) -> None:
    ranked = report(toys.replay().run(toys.queries()), toys.SETTINGS)
    found = Evaluation(ranked_surface="home_feed", surfaces={"home_feed": ranked, "similar_items": ranked})
    made = Artifact(Home(str(tmp_path)), "evaluation", "0a1b", {})
    drawn = io.StringIO()
    render(Console(file=drawn, width=160), found, made)
    for words in ("The systems", "NDCG@2 by segment", "home_feed: 40 queries of 10 users", "Next: remora bundle build"):
        assert words in drawn.getvalue()
    assert drawn.getvalue().count("similar_items") == 2  # a row for each of its systems


def test_one_surface_is_drawn_alone_and_one_that_is_not_there_is_named(tmp_path: Path) -> None:
    ranked = report(toys.replay().run(toys.queries()), toys.SETTINGS)
    found = Evaluation(ranked_surface="home_feed", surfaces={"home_feed": ranked, "similar_items": ranked})
    made = Artifact(Home(str(tmp_path)), "evaluation", "0a1b", {})
    drawn = io.StringIO()
    render(Console(file=drawn, width=160), found, made, "similar_items")
    assert "similar_items: 40 queries" in drawn.getvalue()
    assert "home_feed" not in drawn.getvalue()
    with pytest.raises(NotFound, match=r"cart.*home_feed, similar_items"):
        found.of("cart")
