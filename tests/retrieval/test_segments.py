"""What a segment wants, against the same counted by DuckDB; and who is given it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from tests.datasets.worlds import START, clustered_events, make_lake, settings_for

from remora.core.errors import MissingInput, NotReady
from remora.pipeline import Query
from remora.retrieval.models.segment_popularity import SegmentPopularity
from remora.retrieval.positive_events import COLUMNS
from remora.retrieval.segments import Segments, count
from remora.retrieval.sources.popular_in_segment import PopularInSegment

AS_OF = START + timedelta(days=30)
PRIOR = 7.0
SIDES = ["at", "", None, "de"]
WEIGHTS = {"like": 1.0, "view": 0.5}
"""Of what users want."""


def asked(**of: object) -> Query:
    return Query(request_id="r", surface="home_feed", n=3, instant=datetime(2026, 1, 1, tzinfo=UTC), **of)  # type: ignore[arg-type]


def test_shares_are_those_that_a_database_counts(ray_cluster: None, home_folder: Path, tmp_path: Path) -> None:
    events = clustered_events(users=18, items=24, clusters=2, days=60, per_user=9, seed=2)
    settings = settings_for(home_folder)
    config = SegmentPopularity.Config(column="gender", smoothing_events=PRIOR)
    lake = make_lake(home_folder, events)
    vocabulary = lake.vocabulary()
    people = sorted({event[0] for event in events})
    members = pa.table({"user_id": people, "gender": [SIDES[n % 4] for n in range(len(people))]})
    found = count(lake.events(columns=COLUMNS), members, vocabulary, settings, AS_OF, config)
    assert found.names == ("at", "de")

    database = duckdb.connect()
    for name, table in {
        "members": members,
        "happened": pl.DataFrame(
            events, schema=["user_id", "item_id", "event_type", "instant"], orient="row"
        ).to_arrow(),
        "weights": pa.table({"event_type": [*WEIGHTS], "weight": [*WEIGHTS.values()]}),
    }.items():
        database.register(name, table)
    expected = database.sql(
        f"""
        with known as (select gender, item_id, weight
                       from happened join weights using (event_type) join members using (user_id)
                       where instant < '{AS_OF.isoformat()}'::timestamptz and gender <> ''),
        everyone as (select item_id, sum(weight) / (select sum(weight) from known) p from known group by 1),
        own as (select gender, item_id, sum(weight) n from known group by 1, 2),
        total as (select gender, sum(weight) of_all from known group by 1)
        select gender, item_id, (coalesce(n, 0) + {PRIOR} * p) / (of_all + {PRIOR})
        from everyone cross join total left join own using (gender, item_id)
        """
    ).fetchall()
    got = {
        (name, vocabulary.id(row)): score
        for name in found.names
        for row, score in zip(found.of(name).rows.tolist(), found.of(name).scores.tolist(), strict=True)
    }
    assert got == pytest.approx({(gender, item): share for gender, item, share in expected}, rel=1e-5)
    for name in found.names:
        assert (np.diff(found.of(name).scores) <= 0).all()

    found.save(tmp_path / "segments.parquet")
    again = Segments.load(tmp_path / "segments.parquet")
    assert again.names == found.names
    assert [again.of(name).rows.tolist() for name in found.names] == [found.of(n).rows.tolist() for n in found.names]


def test_a_column_that_is_not_there_is_named(ray_cluster: None, home_folder: Path) -> None:
    lake = make_lake(home_folder, clustered_events(users=4, items=6, clusters=1, days=9, per_user=3, seed=1))
    settings, no_users = settings_for(home_folder), pa.table({"user_id": pa.array([], pa.string())})
    config = SegmentPopularity.Config(column="gender")
    with pytest.raises(MissingInput, match="No column of users 'gender'"):
        count(lake.events(columns=COLUMNS), no_users, lake.vocabulary(), settings, AS_OF, config)


def test_a_segment_must_be_a_column_of_the_users(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"segment_popularity: its column is 'country'; .*has: age, gender"):
        settings_for(tmp_path, retrieval={"models": {"segment_popularity": {"column": "country"}}})


def shared(*rows: int) -> tuple[np.ndarray, np.ndarray]:
    return np.array(rows, np.int32), np.linspace(0.5, 0.1, len(rows), dtype=np.float32)


SEGMENTS = Segments.of_lists({"25": shared(3, 1, 2), "56": shared(2, 4)})
"""Two ages and what they want."""


class TestTheSource:
    def source(self) -> PopularInSegment:
        return PopularInSegment(segments=SEGMENTS, column="age", limit=2)

    @pytest.mark.parametrize("value", [25, 25.0, "25"])
    def test_the_context_says_the_segment_however_it_writes_it(self, value: object) -> None:
        assert self.source().find(asked(context={"age": value})).rows.tolist() == [3, 1]

    def test_what_the_caller_says_goes_before_the_profile(self) -> None:
        profile = {"user_profile__age": 25}
        assert self.source().find(asked(user=profile)).rows.tolist() == [3, 1]
        assert self.source().find(asked(user=profile, context={"age": "56"})).rows.tolist() == [2, 4]

    def test_what_was_seen_is_left_out(self) -> None:
        seen = np.array([3], np.int32)
        assert self.source().find(asked(context={"age": 25}, seen=seen)).rows.tolist() == [1, 2]

    @pytest.mark.parametrize("names", [("true", "false"), ("1", "0"), ("1.0", "0.0")])
    @pytest.mark.parametrize("value", [True, np.True_, "true", "True", 1, 1.0, "1"])
    def test_what_means_the_same_names_the_same_segment(self, names: tuple[str, str], value: object) -> None:
        of_truth = Segments.of_lists({names[0]: shared(3, 1), names[1]: shared(2, 4)})
        source = PopularInSegment(segments=of_truth, column="student")
        assert source.find(asked(context={"student": value})).rows.tolist() == [3, 1]
        assert source.find(asked(user={"user_profile__student": value})).rows.tolist() == [3, 1]

    def test_what_is_written_alike_goes_before_what_means_the_same(self) -> None:
        both = Segments.of_lists({"01": shared(3), "1": shared(2)})
        assert [both.named(value) for value in ("01", 1, "1.0")] == ["01", "1", None]

    @pytest.mark.parametrize("value", ["99", True, 3.5])
    def test_a_segment_that_is_not_known_is_named_with_those_that_are(self, value: object) -> None:
        with pytest.raises(NotReady, match=r"no segment of age is called .*; there are: 25, 56"):
            self.source().find(asked(context={"age": value}))

    @pytest.mark.parametrize("of", [{}, {"user": {"user_profile__age": "99"}}, {"user": {"user_profile__age": None}}])
    def test_of_an_unknown_segment_nothing_is_found(self, of: dict) -> None:
        assert len(self.source().find(asked(**of)).rows) == 0

    def test_a_user_with_a_history_is_left_to_the_others(self) -> None:
        found = self.source().find(asked(context={"age": 25}, history=np.array([1], np.int32)))
        assert len(found.rows) == 0
