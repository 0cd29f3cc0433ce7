"""Users are held out by a hash of their ids: of few users it may be none of them."""

from __future__ import annotations

import pyarrow as pa
import pytest
import ray.data

from remora.datasets.examples import held_out

pytestmark = pytest.mark.usefixtures("ray_cluster")


def test_of_few_users_none_may_be_held_out_and_the_columns_are_the_same() -> None:
    history = pa.FixedSizeListArray.from_arrays(pa.array([-1, -1, 4, 5], pa.int32()), 2)
    of_some = pa.table({"user_id": ["a", "b"], "history": history, "target": [1, 2], "held_out": [False, True]})
    of_none = of_some.set_column(3, "held_out", pa.array([False, False]))
    found, nothing = (held_out(ray.data.from_arrow(table), 2) for table in (of_some, of_none))
    assert found["user_id"].to_pylist() == ["b"]
    assert len(nothing) == 0
    assert nothing.schema.equals(found.schema)


def test_without_an_example_there_is_no_row() -> None:
    of_one = pa.table({"user_id": ["a"], "target": [1], "held_out": [True]})
    examples = ray.data.from_arrow(of_one).map_batches(lambda block: block.slice(1), batch_format="pyarrow")
    assert len(held_out(examples.materialize(), 2)) == 0
