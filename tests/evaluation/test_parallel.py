from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from tests.evaluation import toys

from remora.datasets.days import by_days
from remora.evaluation.parallel import replay_on_ray
from remora.evaluation.report import report


@pytest.mark.parametrize("most", [1, 2, 3, 20])
def test_days_stay_whole_and_every_query_is_in_one_part(most: int) -> None:
    asked = toys.queries(days=7).take(np.random.default_rng(1).permutation(70))
    parts = by_days(asked, most)
    days = [set(pc.floor_temporal(part["instant"], unit="day").to_pylist()) for part in parts]
    assert len(parts) <= most
    assert sum(map(len, days)) == len(set.union(*days)) == 7
    assert sorted(pa.concat_tables(parts)["query_id"].to_pylist()) == sorted(asked["query_id"].to_pylist())


def test_ray_and_one_process_make_the_same_report(ray_cluster: None) -> None:
    asked, replay = toys.queries(), toys.replay()
    here, there = (report(t, toys.SETTINGS) for t in (replay.run(asked), replay_on_ray(replay, asked, tasks=3)))
    assert {e.model_dump_json(exclude={"mean", "low", "high"}) for e in here.estimates} == {
        e.model_dump_json(exclude={"mean", "low", "high"}) for e in there.estimates
    }
    for one in here.estimates:
        other = there.estimate(one.system, one.metric, one.cutoff, one.segment)
        found = np.array([(e.mean, e.low, e.high) for e in (one, other)], float)  # None becomes NaN
        np.testing.assert_allclose(found[0], found[1], rtol=1e-9, atol=1e-12)


def test_no_queries_need_no_tasks(ray_cluster: None) -> None:
    assert replay_on_ray(toys.replay(), toys.queries().slice(0, 0), tasks=3).users == ()
