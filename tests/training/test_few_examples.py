"""So few events that there is nothing to learn from, or nobody to judge by: the reason is said before workers start."""

from __future__ import annotations

import logging
from datetime import timedelta
from pathlib import Path

import pytest
from tests.datasets.worlds import START, settings_for

from remora.core.errors import DataError
from remora.datasets.splits import TimeSplit
from remora.training.retrieval_inputs import check_comparable, check_examples

DAYS = [START + timedelta(days=n) for n in range(5)]
CUTS = TimeSplit(start=DAYS[0], retrieval_end=DAYS[1], ranking_end=DAYS[2], validation_end=DAYS[3], end=DAYS[4])


@pytest.mark.parametrize(
    ("learned", "held_out", "words"),
    [
        (0, 7, "All positive events before 2024-01-02 00:00 are of held-out users .* of more users"),
        (0, 0, "no event of the positive types like, view before 2024-01-02 00:00"),
        (1, 0, "The 1 positive events .* fewer than the 2 workers .* Set retrieval.workers to 1"),
    ],
)
def test_too_few_examples_are_refused_with_the_reason(tmp_path: Path, learned: int, held_out: int, words: str) -> None:
    settings = settings_for(tmp_path, retrieval={"workers": 2})
    with pytest.raises(DataError, match=words):
        check_examples(learned, held_out, settings, CUTS)


def test_without_held_out_users_a_warning_says_that_nothing_is_measured(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = settings_for(tmp_path)
    with caplog.at_level(logging.WARNING):
        check_examples(100, 10, settings, CUTS)
        assert not caplog.messages
        check_examples(100, 0, settings, CUTS)
    assert "recall is not measured, and the last epoch is kept" in caplog.text


def test_a_search_that_no_held_out_user_could_decide_is_refused(tmp_path: Path) -> None:
    chosen = settings_for(tmp_path).retrieval
    check_comparable(1, chosen)
    with pytest.raises(
        DataError, match=r"No user is held out \(retrieval.validation_user_fraction is 0.05\), so trials cannot"
    ):
        check_comparable(0, chosen)
