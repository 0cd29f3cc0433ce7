"""What became of what was shown: each item closes once, what is learned later is a correction, and rates add up."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from tests.datasets.worlds import START, make_lake, settings_for
from tests.feedback.slates import slate

from remora.core.errors import UnreadableInput
from remora.core.home import Home
from remora.datasets.outcomes import DOCUMENT, close_outcomes, outcome_rates
from remora.events.collect import collect
from remora.events.from_settings import slate_log_of
from remora.feedback.attribution import NOT_EXPOSED
from remora.settings import Settings

HOUR = timedelta(hours=1)
Act = tuple[str, str, str, datetime, datetime]
"""User, item, event type, when it happened, when it was learned."""

LIKED_AT_ONCE: Act = ("101", "P1", "like", START + HOUR, START + HOUR)
VIEWED_LATE: Act = ("101", "P2", "view", START + 20 * HOUR, START + 40 * HOUR)
STRANGE: Act = ("101", "P9", "like", START + 2 * HOUR, START + 2 * HOUR)
MUCH_LATER: Act = ("102", "P5", "view", START + 30 * HOUR, START + 30 * HOUR)
LAST: Act = ("102", "P5", "view", START + 60 * HOUR, START + 60 * HOUR)


@pytest.fixture
def shop(tmp_path: Path) -> Settings:
    """One slate of P1 and P2 for user 101 at the start, and one of nobody; a day's horizon, six hours of lateness."""
    made = settings_for(tmp_path, evaluation={"horizon_days": 1.0}, events={"outcome_lateness_hours": 6.0})
    settings = made.model_copy(update={"data": made.data.model_copy(update={"clock": "wall"})})
    log = slate_log_of(settings, lambda count: None)
    log(slate(1, served_at=START))
    log(slate(2, served_at=START, user_id=None))
    log.close()
    collect(settings)
    return settings


def brought(shop: Settings, acts: list[Act], version: str) -> None:
    learned = [known for *_, known in acts]
    make_lake(Path(shop.home), [act[:4] for act in acts], more={"known_timestamp": learned}, version=version)


def rates(shop: Settings) -> dict[str | None, tuple[int, int, int]]:
    found = outcome_rates(Home(shop.home)).to_dicts()
    return {row["event_type"]: (row["exposures"], row["events"], row["corrections"]) for row in found}


def test_an_item_closes_once_and_what_is_learned_later_is_a_correction(shop: Settings) -> None:
    brought(shop, [LIKED_AT_ONCE, STRANGE, ("102", "P5", "view", START + 3 * HOUR, START + 3 * HOUR)], "before")
    early = close_outcomes(shop)
    assert (dict(early.rows), rates(shop)) == ({"exposures": 0, "events": 0, "corrections": 0}, {})
    assert early.orphans == {NOT_EXPOSED: 1}, "what was just learned waits for the next time"
    brought(
        shop, [LIKED_AT_ONCE, STRANGE, MUCH_LATER, ("102", "P5", "view", START + 31 * HOUR, START + 31 * HOUR)], "then"
    )
    closed = close_outcomes(shop)
    assert dict(closed.rows) == {"exposures": 2, "events": 1, "corrections": 0}
    assert rates(shop) == {"like": (2, 1, 0)}
    brought(shop, [LIKED_AT_ONCE, STRANGE, MUCH_LATER, VIEWED_LATE, LAST], "later")
    later = close_outcomes(shop)
    assert dict(later.rows) == {"exposures": 0, "events": 0, "corrections": 1}
    again = close_outcomes(shop)
    assert (again.rows, again.until) == ({}, later.until)


def test_one_run_over_all_closes_the_same_as_several(shop: Settings, tmp_path: Path) -> None:
    acts = [LIKED_AT_ONCE, STRANGE, MUCH_LATER, VIEWED_LATE, LAST]
    brought(shop, acts, "all")
    found = close_outcomes(shop)
    assert dict(found.rows) == {"exposures": 2, "events": 1, "corrections": 1}
    assert rates(shop) == {"like": (2, 1, 0)}


def test_files_that_a_killed_run_left_are_written_again_and_count_once(shop: Settings) -> None:
    brought(shop, [LIKED_AT_ONCE, MUCH_LATER, LAST], "all")
    close_outcomes(shop)
    home = Home(shop.home)
    before = home.read_bytes(DOCUMENT)
    Path(home.at(DOCUMENT)).unlink()  # as if it had died before it wrote the document
    assert rates(shop) == {}
    close_outcomes(shop)
    assert (home.read_bytes(DOCUMENT), rates(shop)) == (before, {"like": (2, 1, 0)})


def test_a_damaged_document_is_named_with_what_to_do(shop: Settings) -> None:
    brought(shop, [LIKED_AT_ONCE, LAST], "all")
    close_outcomes(shop)
    Path(Home(shop.home).at(DOCUMENT)).write_text("{")
    with pytest.raises(UnreadableInput, match="Remove the folder outcomes"):
        close_outcomes(shop)
