"""The row of an instant against the rows of a build."""

from __future__ import annotations

from datetime import timedelta

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from remora.features.transforms.transform import Transform
from remora.features.transforms.user_activity import UserActivity
from remora.features.transforms.user_affinity import UserAffinity
from remora.testing.transforms import START, some_context, some_events


@pytest.mark.parametrize("transform", [UserActivity, UserAffinity])
def test_each_user_has_the_row_of_a_build_that_is_valid_at_its_instant(transform: type[Transform]) -> None:
    config = getattr(transform, "Config", lambda: None)()
    events, context = some_events(), some_context()
    rows = transform.transform(config, events, context).sort("event_timestamp")
    users = [*events["user_id"].unique().sort(), "someone else"]
    instants = pl.DataFrame(
        {"user_id": users, "instant": [START + timedelta(hours=31 * n) for n in range(len(users))]}
    ).with_columns(pl.col("instant").dt.cast_time_unit("us"))
    found = transform.latest(config, events, context, instants).sort("user_id")
    for user, instant in instants.rows():
        valid = rows.filter(pl.col("user_id") == user, pl.col("event_timestamp") <= instant).tail(1)
        mine = found.filter(pl.col("user_id") == user)
        assert len(mine) == 1
        if len(valid):
            assert_frame_equal(mine, valid.drop("event_timestamp"), check_column_order=False)
        else:
            assert not any(value is not None for value in mine.drop("user_id").row(0))
