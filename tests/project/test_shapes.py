"""Tables of different shapes: the proposal finds what each column is, and its settings bring all rows to the lake."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from tests.project.proposing import brought, counts, proposed
from tests.project.shapes import EVENTS, SHAPES, USERS


@pytest.mark.parametrize("shape", SHAPES)
def test_the_proposed_settings_bring_every_shape_to_the_lake(shape: str, tmp_path: Path) -> None:
    tables = SHAPES[shape](tmp_path)
    proposal = proposed(tmp_path, tables)
    lake = brought(tmp_path, proposal)
    for table in ("events", *tables):
        found = counts(lake, table)
        declared = sum(rows for reason, rows in found["reasons"].items() if reason.startswith("filter"))
        assert found["rows"] > 0
        assert found["accepted"] + declared == found["rows"], found
    assert not [finding for finding in lake.findings if finding.level == "error"]


def test_a_clickstream_in_json_lines_is_understood(tmp_path: Path) -> None:
    proposal = proposed(tmp_path, SHAPES["clickstream"](tmp_path))
    (events,), (items,) = proposal.settings.data.events, proposal.settings.data.items
    assert events.format == "jsonl"
    assert events.columns == {
        "event_id": "id",
        "user_id": "visitor.id",
        "item_id": "payload.product.sku",
        "event_type": "event.name",
        "event_timestamp": "event.ts",
        "value": "payload.product.price",
    }
    assert events.time.unit == "ms"
    types = {name: (one.weight, one.sign) for name, one in proposal.settings.data.event_types.items()}
    assert types == {"page_view": (0.2, 1), "add_to_cart": (0.5, 1), "purchase": (1.0, 1)}
    assert items.types == {"tags": "list[string]", "listPrice": "integer", "inStock": "boolean"}
    data = proposal.settings.data
    assert (data.title, data.category, data.available) == ("name", "tags", "inStock")
    lake = brought(tmp_path, proposal)
    assert lake.artifact.metadata["counts"]["users"]["accepted"] == USERS
    assert lake.items()["tags"].to_pylist()[0] == ["garden", "new"]


def test_ratings_without_a_header_are_told_apart_by_the_ids_of_the_other_tables(tmp_path: Path) -> None:
    proposal = proposed(tmp_path, SHAPES["ratings"](tmp_path))
    (events,), (items,) = proposal.settings.data.events, proposal.settings.data.items
    assert events.column_names == ("column_1", "column_2", "column_3", "column_4")
    assert events.columns == {
        "user_id": "column_1",
        "item_id": "column_2",
        "event_timestamp": "column_4",
        "value": "column_3",
    }
    assert (events.delimiter, events.quote, events.time.unit) == ("::", None, "s")
    assert isinstance(events.event_type, tuple)
    assert [(rule.when, rule.type) for rule in events.event_type] == [
        ('"column_3" >= 4', "like"),
        ('"column_3" >= 3', "neutral"),
        ("true", "dislike"),
    ]
    assert (items.encoding, items.list_separator, items.types) == ("cp1252", "|", {"column_3": "list[string]"})
    assert proposal.settings.data.title == "column_2"
    assert sum("no header" in what for what, _ in proposal.doubts) == 3


def test_a_german_spreadsheet_is_read_with_its_commas_and_days_first(tmp_path: Path) -> None:
    proposal = proposed(tmp_path, SHAPES["german"](tmp_path))
    (events,), data = proposal.settings.data.events, proposal.settings.data
    assert (events.delimiter, events.encoding, events.decimal) == (";", "cp1252", ",")
    assert events.time.pattern == "%d.%m.%Y %H:%M"
    assert events.columns["value"] == "Preis"
    assert events.filters == ('"Kundennr" IS NOT NULL',)
    assert {name: one.sign for name, one in data.event_types.items()} == {"purchase": 1, "return": -1}
    assert data.items[0].distinct
    assert (data.title, data.category) == ("Bezeichnung", "Warengruppe")
    assert any("name no zone" in what for what, _ in proposal.doubts)
    lake = brought(tmp_path, proposal)
    assert lake.items()["item_id"].to_pylist()[0].startswith("004")
    assert lake.artifact.metadata["event_types"]["return"] > 0


def test_columns_that_know_the_future_are_named_and_left_out(tmp_path: Path) -> None:
    proposal = proposed(tmp_path, SHAPES["warehouse"](tmp_path))
    items, users = proposal.analysis.tables["items"].profile, proposal.analysis.tables["users"].profile
    leaks = dict(items.leaks)
    assert set(leaks) == {"TOTAL_SALES", "POP_INDEX", "LAST_PURCHASE_DATE"}
    assert "rank correlation with the number of events is 1.00" in leaks["POP_INDEX"]
    assert [name for name, _ in users.leaks] == ["LIFETIME_VALUE"]
    assert dict(users.left_out).keys() == {"EMAIL"}
    assert "a time" in dict(items.left_out)["UPDATED_AT"]
    for name in (*leaks, "LIFETIME_VALUE"):
        assert f"# LEFT OUT, knows the future: {name}" in proposal.text
    data = proposal.settings.data
    assert data.item_columns == ("CATEGORY_ID", "LIST_PRICE")
    assert (data.category, data.available) == ("CATEGORY_ID", "IS_ACTIVE")
    assert data.items[0].types["CATEGORY_ID"] == "string"
    assert "segment_popularity: {column: COUNTRY}" in proposal.text
    assert "known only after the event, so never a feature: UPDATED_AT" in proposal.text
    assert proposal.settings.data.events[0].columns["event_timestamp"] == "CREATED_AT"


def test_month_first_and_am_and_pm_are_found(tmp_path: Path) -> None:
    proposal = proposed(tmp_path, SHAPES["american"](tmp_path))
    (events,) = proposal.settings.data.events
    assert events.time.pattern == "%m/%d/%Y %I:%M:%S %p"
    assert events.null_values == ("", "NULL")
    weights = {name: one.weight for name, one in proposal.settings.data.event_types.items()}
    assert weights == {"1": 0.2, "2": 0.5, "3": 1.0}
    assert "What the event types '1', '2', '3' say about taste" in [what for what, _ in proposal.doubts]


def test_equal_rows_of_a_log_by_the_day_are_kept(tmp_path: Path) -> None:
    proposal = proposed(tmp_path, SHAPES["daily"](tmp_path))
    data = proposal.settings.data
    assert (data.duplicates, data.events[0].time.pattern) == ("keep", "%Y%m%d")
    assert not proposal.settings.surfaces["home_feed"].hide_seen
    assert counts(brought(tmp_path, proposal))["accepted"] == EVENTS
    assert "Is 'msno' a user's id? No name says so" in [what for what, _ in proposal.doubts]


def test_typed_headers_of_recbole_are_no_part_of_the_names(tmp_path: Path) -> None:
    data = proposed(tmp_path, SHAPES["recbole"](tmp_path)).settings.data
    assert data.item_columns == ("release_year", "class")
    assert data.user_columns == ("age", "gender", "occupation")
    assert (data.title, data.category) == ("movie_title", "class")


def test_impressions_have_their_request_and_position(tmp_path: Path) -> None:
    proposal = proposed(tmp_path, SHAPES["shown"](tmp_path))
    data = proposal.settings.data
    assert data.impression == "impression"
    assert data.events[0].columns["known_timestamp"] == "received_at"
    assert data.events[0].columns["propensity"] == "propensity_score"
    assert data.positive_types == ("clicked",)


def test_the_windows_of_time_are_counted(tmp_path: Path) -> None:
    proposal = proposed(tmp_path, SHAPES["warehouse"](tmp_path))
    windows = proposal.analysis.split.windows
    assert [window.name for window in windows] == ["retrieval training", "ranking training", "validation", "test"]
    assert sum(window.positive for window in windows) == EVENTS
    assert all(one.end == other.start for one, other in pairwise(windows))
    assert 0.6 < windows[0].positive / EVENTS < 0.7
    assert windows[0].users == USERS
