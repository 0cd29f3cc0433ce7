from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console
from tests.evaluation import toys

from remora.cli.evaluate import render
from remora.contracts.artifacts import Artifact
from remora.contracts.home import Home
from remora.evaluation.report import report


def test_the_evaluation_is_drawn_with_what_it_counted_and_what_comes_next(tmp_path: Path) -> None:
    drawn = io.StringIO()
    found = report(toys.replay().run(toys.queries()), toys.SETTINGS)
    render(Console(file=drawn, width=160), found, Artifact(Home(str(tmp_path)), "evaluation", "0a1b", {}))
    for words in ("The systems", "NDCG@2 by segment", "40 queries of 10 users", "Next: remora bundle build"):
        assert words in drawn.getvalue()
