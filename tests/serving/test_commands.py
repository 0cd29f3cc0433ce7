"""The recommend command: what it asks of its caller, and how a slate looks."""

from __future__ import annotations

import io

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from remora.cli.recommend import recommend, render
from remora.surfaces.responses import RecommendedItem, RecommendResponse

app = typer.Typer()
app.command()(recommend)


@pytest.mark.parametrize(
    ("arguments", "says"), [([], "give a USER"), (["u1", "--all"], "give a USER"), (["--all"], "--out")]
)
def test_half_a_command_gets_what_is_missing_as_advice(arguments: list[str], says: str) -> None:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert says in result.output


def test_a_slate_is_drawn_with_titles_sources_reasons_and_timings() -> None:
    slate = RecommendResponse(
        request_id="r",
        surface="home_feed",
        bundle="4f1c0e9a2b7d6c31",
        variant="production",
        items=[
            RecommendedItem(item_id="50", position=1, score=2.5, sources=["nearest_items", "trending"], title="Kettle"),
            RecommendedItem(item_id="7", position=2, score=None, sources=["backfill"]),
        ],
        degraded=["user_unknown: nothing is known of 'x', so the slate is not personal"],
        timings_ms={"tree_scorer": 2.84, "total": 6.1},
    )
    drawn = io.StringIO()
    render(Console(file=drawn, width=120), "x", slate)
    for part in ("home_feed for x", "Kettle", "2.5000", "nearest_items, trending", "–", "user_unknown", "total 6.1"):
        assert part in drawn.getvalue()
