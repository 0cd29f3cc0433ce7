"""More broken rows than the limit allows: the error says what may be behind them, where that is known."""

from __future__ import annotations

import pytest

from remora.core.errors import QuarantineLimitExceeded
from remora.ingest.contract import UNKNOWN_ITEM, UNREADABLE_ROW
from remora.ingest.quarantine import check_limit


def test_rows_that_are_divided_otherwise_than_the_header_point_to_the_dialect() -> None:
    with pytest.raises(QuarantineLimitExceeded, match="look at the source's `delimiter` and `quote`, and at `escape`"):
        check_limit("items", 40, {UNREADABLE_ROW: 38, "item_id is missing": 2}, 0.5)


def test_events_of_unknown_items_point_to_the_setting_that_accepts_them() -> None:
    with pytest.raises(
        QuarantineLimitExceeded, match=r"complete; with `data.unknown_items: keep` such events are accepted"
    ):
        check_limit("events", 40, {UNKNOWN_ITEM: 40}, 0.05)


def test_another_reason_speaks_for_itself() -> None:
    with pytest.raises(QuarantineLimitExceeded) as raised:
        check_limit("items", 40, {UNREADABLE_ROW: 2, "item_id is missing": 38}, 0.5)
    assert "escape" not in str(raised.value)


def test_declared_filters_and_a_few_rows_are_within_the_limit() -> None:
    check_limit("items", 40, {"filter: price > 0": 38, UNREADABLE_ROW: 2}, 0.05)
