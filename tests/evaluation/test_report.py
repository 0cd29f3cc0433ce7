from __future__ import annotations

import io
from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest
from rich.console import Console
from tests.evaluation import toys

from remora.core.errors import NotFound
from remora.evaluation.rendering import markdown, summary, tables
from remora.evaluation.replay import ReplayState
from remora.evaluation.report import EvaluationReport, report
from remora.evaluation.systems import ONLY, WITHOUT
from remora.pipeline import Pipeline
from remora.pipeline.runner import named


@pytest.fixture(scope="module")
def found() -> EvaluationReport:
    return report(toys.replay().run(toys.queries()), toys.SETTINGS, without_targets=3)


def test_a_mean_lies_inside_its_interval_and_says_how_many_it_is_of(found: EvaluationReport) -> None:
    ndcg = found.estimate("surface", "ndcg", 2)
    assert ndcg.low is not None
    assert ndcg.high is not None
    assert ndcg.mean is not None
    assert ndcg.low < ndcg.mean < ndcg.high
    assert (ndcg.queries, ndcg.users) == (40, 10)


def test_coverage_has_no_interval_and_no_difference(found: EvaluationReport) -> None:
    coverage = found.estimate("surface", "coverage", 5)
    assert (coverage.mean, coverage.low, coverage.queries, coverage.users) == (10 / 12, None, 40, 10)
    with pytest.raises(NotFound, match="coverage@5"):
        found.difference("popularity", "coverage", 5)


def test_the_surface_is_compared_with_every_other_system(found: EvaluationReport) -> None:
    difference = found.difference("popularity", "recall", 5)
    means = [found.estimate(s, "recall", 5).mean for s in ("surface", "popularity")]
    assert None not in means
    assert difference.mean == pytest.approx(means[0] - means[1])  # type: ignore[operator]
    assert difference.excludes_zero
    assert {d.against for d in found.differences} == {"popularity"}


def test_what_a_source_adds_is_retrieval_less_itself_without_it() -> None:
    def moment(day: datetime) -> ReplayState:
        there = Pipeline(sources=named(toys.Everything()))
        apart = {WITHOUT + "everything": Pipeline(sources={}), ONLY + "everything": there}
        pipelines = {"retrieval": there, "surface": there, **apart}
        return ReplayState(pipelines=pipelines, item_events=np.zeros(toys.ITEMS))

    found = report(replace(toys.replay(), moment_at=moment).run(toys.queries()), toys.SETTINGS)
    added = found.difference(WITHOUT + "everything", "recall", 5)
    assert added.system == "retrieval"
    assert added.mean == found.estimate("retrieval", "recall", 5).mean
    assert found.sources == ("everything",)
    assert found.compared == ("retrieval", "surface")
    page = markdown(found)
    assert f"| everything | {found.difference(WITHOUT + 'everything', 'ndcg', 2).mean:+.4f} *" in page
    assert found.difference(ONLY + "everything", "recall", 5).mean == 0
    assert WITHOUT + "everything" not in page


def test_a_report_survives_json(found: EvaluationReport) -> None:
    assert EvaluationReport.model_validate_json(found.model_dump_json()) == found


def test_the_same_queries_make_the_same_report(found: EvaluationReport) -> None:
    assert report(toys.replay().run(toys.queries()), toys.SETTINGS, without_targets=3) == found


def test_the_tables_show_every_system_metric_and_segment(found: EvaluationReport) -> None:
    console = Console(width=220, file=io.StringIO())
    console.print(*tables(found))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    for word in ("popularity", "surface", "NDCG", "diversity", "new items", "heavy users"):
        assert word in text
    assert f"{found.estimate('surface', 'ndcg', 2).mean:.4f}" in text


def test_markdown_has_rectangular_tables_and_the_counts(found: EvaluationReport) -> None:
    page = markdown(found)
    assert summary(found) in page
    assert "40 queries of 10 users; 3 more were left out" in page
    assert "Slates with a stage missing: surface 40." in page
    for table in page.split("\n\n"):
        if table.startswith("|"):
            assert len({line.count("|") for line in table.splitlines()}) == 1


def test_an_unknown_number_is_not_found(found: EvaluationReport) -> None:
    with pytest.raises(NotFound, match="no estimate 'nobody ndcg@2 all'"):
        found.estimate("nobody", "ndcg", 2)


def test_an_evaluation_without_queries_reports_none() -> None:
    empty = report(toys.replay().run(toys.queries().slice(0, 0)), toys.SETTINGS)
    assert empty.queries == {"all": 0, "new_users": 0, "heavy_users": 0, "new_items": 0}
    assert empty.estimates == ()
    assert markdown(empty).startswith("# Evaluation\n\n0 queries of 0 users")
