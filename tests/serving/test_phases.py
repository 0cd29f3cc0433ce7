"""The phases find out who asks, and never mix two bundles."""

from __future__ import annotations

import pickle
from dataclasses import replace

import pytest
from tests.serving.small_shop import INSTANT, SmallShop, regulars

from remora.pipeline import Query
from remora.serving.phases import BundleMismatch, Phases


@pytest.fixture(scope="module")
def phases() -> Phases:
    shop = SmallShop()
    return Phases(shop.load(), regulars())


def query(user: str | None = "u3") -> Query:
    return Query(request_id="r", surface="home_feed", n=5, instant=INSTANT, user_id=user)


def test_a_known_user_is_hydrated_and_a_nameless_one_is_not_asked_for(phases: Phases) -> None:
    errand = phases.retrieve("small", query())
    assert errand.query.user_found
    assert errand.passage.degraded == ()
    nameless = phases.retrieve("small", query(None))
    assert not nameless.query.user_found
    assert nameless.passage.degraded == ()


def test_phases_in_other_processes_give_the_slate_of_one_run(phases: Phases) -> None:
    errand = pickle.loads(pickle.dumps(phases.retrieve("small", query())))
    errand = pickle.loads(pickle.dumps(phases.filter(errand)))
    apart, whole = phases.rank(errand), phases.run(query())
    assert apart.candidates.rows.tolist() == whole.candidates.rows.tolist()
    assert apart.counts == whole.counts


def test_rows_of_another_bundle_are_refused_by_every_phase(phases: Phases) -> None:
    errand = replace(phases.retrieve("small", query()), bundle="newer")
    for call in (lambda: phases.retrieve("newer", query()), lambda: phases.filter(errand), lambda: phases.rank(errand)):
        with pytest.raises(BundleMismatch, match="of bundle newer, this replica serves small"):
            call()


def test_the_error_crosses_process_borders() -> None:
    error = pickle.loads(pickle.dumps(BundleMismatch("a", "b")))
    assert str(error) == "the request is of bundle a, this replica serves b"
