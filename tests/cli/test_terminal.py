"""Titles, ids and messages with anything in them: what people see is the text, and nothing else happens."""

from __future__ import annotations

import io
import logging
import re
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from rich.table import Table

import remora
from remora.cli import explain, recommend
from remora.cli.progress import _Lines
from remora.cli.terminal import Terminal, line, styled
from remora.serving.explanation import Explanation, FoundBy
from remora.surfaces.responses import RecommendedItem, RecommendResponse

PIECES = [*"[]/=$\\:ab \x1b\x07\x9b\u202e", "[/b]", "[bold]", "[link=http://x]", "\x1b]8;;http://x\x07"]
HOSTILE = st.lists(st.sampled_from(PIECES), min_size=1, max_size=20).map("".join)
COMMANDS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]")


def drawn(draw, *, colours: bool = False) -> str:  # type: ignore[no-untyped-def]
    page = io.StringIO()
    draw(Terminal(file=page, width=400, force_terminal=colours, color_system="standard" if colours else None))
    return page.getvalue()


@given(HOSTILE)
def test_a_string_anywhere_is_text(text: str) -> None:
    def draw(out: Terminal) -> None:
        table = Table(title=text)
        table.add_column(text)
        table.add_row(text)
        table.add_row(styled(text, "red"))
        out.print(table)
        out.print(text, line(styled(text, "red"), text))
        out.rule(styled(text, "none"))
        with out.status(text) as spinner:
            spinner.update(text)

    assert not COMMANDS.search(drawn(draw))


def test_markup_links_and_emoji_codes_are_shown_as_they_are() -> None:
    titles = ["Sherlock [dvd]", "Sticker [/b]", "[bold]x", "[link=http://x]y[/link]", ":smile:", r"\[escaped]"]
    table = Table("title")
    for title in titles:
        table.add_row(title)
    page = drawn(lambda out: out.print(table), colours=True)
    assert all(title in page for title in titles)
    assert "\x1b]8" not in page


@given(st.text(st.characters(categories=("Ll", "Nd")), min_size=1, max_size=300), st.integers(12, 60))
def test_a_word_that_is_wider_than_its_column_is_shown_whole(word: str, width: int) -> None:
    page = io.StringIO()
    grid = Table.grid(padding=(0, 2))
    grid.add_row("", word)
    headed = Table("what")
    headed.add_row(word)
    terminal = Terminal(file=page, width=width)
    terminal.print(grid)
    terminal.print(headed)
    lines = page.getvalue().replace("│", "").split("\n")
    shown = "".join("".join(line.split()) for line in lines)
    assert shown.count("".join(word.split())) >= 2


def test_columns_are_as_wide_as_what_is_shown() -> None:
    table = Table("item", "title")
    table.add_row("\x1b[2J" * 5, "kettle")
    lines = drawn(lambda out: out.print(table)).rstrip().splitlines()
    assert len({len(each) for each in lines}) == 1


@given(HOSTILE, HOSTILE)
def test_a_slate_shows_titles_and_ids_as_they_are(title: str, item: str) -> None:
    slate = RecommendResponse(
        request_id="r",
        surface="home_feed",
        bundle="4f1c0e9a2b7d6c31",
        variant="production",
        items=[RecommendedItem(item_id=item, position=1, score=2.5, sources=["trending"], title=title)],
        degraded=[f"user_unknown: {item}"],
        timings_ms={"total": 6.1},
    )
    assert not COMMANDS.search(drawn(lambda out: recommend.render(out, item, slate)))


def test_explain_shows_titles_and_ids_as_they_are() -> None:
    found = Explanation.model_construct(
        item_id="AC/DC [x]",
        title="Sticker [/b]",
        user_id="[/red]",
        bundle="4f1c",
        sources=[FoundBy(source="nearest_items", rank=1, score=0.5)],
        below_limit_in=[],
        removed_by=None,
        candidates=3,
        rank=1,
        rank_before_reranking=2,
        shown=True,
        n=10,
        score=0.5,
        degraded=["[/b]"],
        predictions=[],
    )
    page = drawn(lambda out: explain.render(out, found))
    for part in ("AC/DC [x] Sticker [/b] for [/red]", "degraded: [/b]", "shown: rank 1 of 3"):
        assert part in page


def test_log_lines_show_control_characters() -> None:
    record = logging.LogRecord("remora", logging.INFO, "f", 1, "read %s", ("\x1b[2J[/b]",), None)
    assert _Lines("%(message)s").format(record) == r"read \x1b[2J[/b]"


def test_no_other_console_is_made_and_no_string_is_read_as_markup() -> None:
    package = Path(remora.__file__).parent
    forbidden = re.compile(r"\bConsole\(|rich\.markup|from_markup|markup=True|rich\.print\b|from rich import .*print")
    found = {
        str(file.relative_to(package)): hit.group()
        for file in package.rglob("*.py")
        if (hit := forbidden.search(file.read_text().replace("class Terminal(Console)", "")))
    }
    assert not found
