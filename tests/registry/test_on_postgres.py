"""The same registry with MLflow in PostgreSQL, from homes on disk and on S3."""

from __future__ import annotations

import pytest
from tests.registry import releases
from tests.registry.processes import in_processes

from remora.core.errors import StorageError
from remora.core.redaction import redacted
from remora.registry.bundles import Bundles
from remora.settings import Settings


@pytest.fixture(params=["a home on disk", "a home on S3"])
def scaled(request: pytest.FixtureRequest, settings: Settings, postgres: str) -> Settings:
    """Settings of a home whose runs, versions and aliases are in PostgreSQL; each test has a model of its own."""
    on_s3 = "S3" in request.param
    home = request.getfixturevalue("bucket_home") if on_s3 else settings.home
    name = f"shop-{abs(hash(request.node.nodeid))}"
    return settings.model_copy(update={"home": home, "tracking_uri": postgres, "name": name})


def test_processes_that_build_at_once_in_an_empty_database_all_do(scaled: Settings) -> None:
    assert in_processes(releases.build_one, (scaled,), (scaled,)) == [0, 0]
    assert len(Bundles(scaled).list()) == 1


def test_a_bundle_is_promoted_rolled_back_and_collected(scaled: Settings) -> None:
    bundles = Bundles(scaled)
    ids = [releases.build(bundles, model).id for model in (b"one", b"two", b"three")]
    for id in ids:
        bundles.promote(id, by="ann", why="next", evidence={"gate": id})
    assert bundles.rollback(by="bob", why="worse").bundle == ids[1]
    assert [p.kind for p in bundles.history()] == ["promotion"] * 3 + ["rollback"]
    assert bundles.history()[0].evidence == {"gate": ids[0]}
    assert {u.id for u in bundles.gc(keep=0, delete=True)} == {ids[2]}
    assert {b.id for b in bundles.list()} == set(ids[:2])


@pytest.mark.slow
def test_processes_that_promote_at_once_are_one_after_the_other_in_the_history(scaled: Settings) -> None:
    bundles = Bundles(scaled)
    ids = (releases.build(bundles).id, releases.build(bundles, b"another").id)
    work = [(scaled, order, 6, who) for order, who in ((ids, "ann"), (ids[::-1], "bob"))]
    assert in_processes(releases.promote_by_turns, *work) == [0, 0]
    history = bundles.history()
    assert all(p.done for p in history)
    assert [p.previous for p in history] == [None, *(p.bundle for p in history[:-1])]
    assert bundles.resolve("production") == history[-1].bundle == bundles.traffic().production


@pytest.mark.slow
def test_changes_of_traffic_at_once_are_all_kept(scaled: Settings) -> None:
    bundles = Bundles(scaled)
    ids = [releases.build(bundles, f"model {n}".encode()).id for n in range(4)]
    bundles.promote(ids[0], by="ann", why="first")
    assert in_processes(releases.name_as_loading, *((scaled, id) for id in ids[1:])) == [0, 0, 0]
    assert set(bundles.traffic().loading) == set(ids[1:])


def test_a_process_that_dies_holds_no_lock_and_changed_nothing(scaled: Settings) -> None:
    bundles = Bundles(scaled)
    one, two = releases.build(bundles).id, releases.build(bundles, b"another").id
    bundles.promote(one, by="ann", why="first")
    assert in_processes(releases.die_before_the_alias_moves, (scaled, two)) == [9]
    assert bundles.resolve("production") == one
    bundles.promote(two, by="ann", why="again")
    assert [p.done for p in bundles.history()] == [True, False, True]


def test_a_database_that_is_out_is_a_storage_error_without_its_password(settings: Settings) -> None:
    out = "postgresql+psycopg://ann:sesame@127.0.0.1:9/mlflow"
    with pytest.raises(StorageError, match="Nothing was changed") as error:
        releases.build(Bundles(settings.model_copy(update={"tracking_uri": out})))
    assert "sesame" not in str(error.value)
    assert redacted(out) == "postgresql+psycopg://***@127.0.0.1:9/mlflow"
