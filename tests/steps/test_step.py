"""A step's fingerprint follows from what it declares; what is declared wrongly is said when it is."""

from __future__ import annotations

from typing import Any

import pytest
from tests.settings.test_bounds import NEEDED

from remora.core.artifacts import Artifact
from remora.core.errors import NotBuilt
from remora.core.home import Home
from remora.core.section import UndeclaredSetting
from remora.settings import Settings
from remora.steps import Build, Provenance, Step, builds
from remora.steps.graph import checked

FIRST = Step(name="first", command="remora first", artifact="one", settings=("split",))
SECOND = Step(name="second", command="remora second", artifact="two", reads=(FIRST,), settings=("retrieval.epochs",))


def settings(home: str, **changes: object) -> Settings:
    return Settings.model_validate(NEEDED["Settings"] | {"home": home} | changes)


@builds(FIRST)
def first(build: Build) -> dict[str, object]:
    build.home.write_bytes(f"{build.staging.folder}/ranking", str(build.settings.split.ranking).encode())
    return {"rows": 3}


@builds(SECOND)
def second(build: Build, said: list[str]) -> dict[str, object]:
    said.append(f"made with {build.settings.retrieval.epochs} epochs")
    build.once_committed(lambda: said.append("committed"))
    _ = build.staging
    return {}


class TestDeclaring:
    def test_a_setting_that_does_not_exist(self) -> None:
        with pytest.raises(ValueError, match=r"Step 'x' declares the setting retrieval\.epoch, but retrieval has no"):
            Step(name="x", command="remora x", settings=("retrieval.epoch",))

    def test_a_step_that_reads_an_unknown_one(self) -> None:
        with pytest.raises(ValueError, match="Step 'second' reads what 'first' makes, which is no step of these"):
            checked((SECOND,))

    def test_a_step_that_reads_a_later_one(self) -> None:
        with pytest.raises(ValueError, match="Step 'second' reads 'first', which comes after it"):
            checked((SECOND, FIRST))

    def test_a_cycle(self) -> None:
        a = Step(name="a", command="remora a", artifact="a")
        b = Step(name="b", command="remora b", artifact="b", reads=(a,))
        object.__setattr__(a, "reads", (b,))
        with pytest.raises(ValueError, match=r"The steps wait for each other: '(a|b)' reads '(a|b)'.* Take one out"):
            checked((a, b))

    def test_two_of_one_name_or_artifact(self) -> None:
        with pytest.raises(ValueError, match="Two steps have the name 'first'"):
            checked((FIRST, FIRST))
        with pytest.raises(ValueError, match="Two steps have the artifact 'one'"):
            checked((FIRST, Step(name="other", command="remora other", artifact="one")))

    def test_a_step_that_reads_one_without_an_artifact(self) -> None:
        report = Step(name="report", command="remora report")
        with pytest.raises(ValueError, match="which makes no artifact"):
            checked((report, Step(name="x", command="remora x", reads=(report,))))


class TestBuilding:
    def test_needs_what_the_step_reads(self, home_folder: str) -> None:
        with pytest.raises(NotBuilt, match="remora first"):
            second(settings(str(home_folder)), [])

    def test_makes_it_once_and_records_what_it_was_made_from(self, home_folder: str) -> None:
        chosen, said = settings(str(home_folder)), list[str]()
        one = first(chosen)
        made, again = second(chosen, said), second(chosen, said)
        assert said == ["made with 8 epochs", "committed"]
        assert (made.reused, again.reused, again) == (False, True, made)
        provenance = Provenance.of(made.metadata)
        assert provenance == SECOND.current(chosen)
        assert provenance is not None
        assert (provenance.settings, provenance.inputs) == ({"retrieval.epochs": 8}, {"one": one.version})
        assert provenance.version == made.version
        assert made.metadata["one"] == one.version, "retention keeps what a version names"

    def test_takes_up_a_version_of_earlier_settings_again(self, home_folder: str) -> None:
        chosen = settings(str(home_folder))
        other = settings(str(home_folder), split={"ranking": 0.2})
        one, two = first(chosen), first(other)
        assert one.version != two.version
        again = first(chosen)
        assert (again, again.reused) == (one, True)
        assert FIRST.artifacts(Home(chosen.home)).current() == one

    def test_depends_on_nothing_else(self, home_folder: str) -> None:
        chosen, said = settings(str(home_folder)), list[str]()
        first(chosen)
        second(chosen, said)
        changed = settings(str(home_folder), retrieval={"learning_rate": 0.5, "epochs": 8}, serving={"timeout_ms": 99})
        assert first(changed).reused
        assert second(changed, said).reused

    def test_of_a_version_that_holds_no_more_makes_it_again(self, home_folder: str) -> None:
        made = list[int]()

        def holds(home: Home, artifact: Artifact) -> bool:
            return home.exists("kept")

        @builds(FIRST, holds=holds)
        def step(build: Build) -> dict[str, object]:
            made.append(1)
            _ = build.staging
            return {}

        step(settings(str(home_folder)))
        step(settings(str(home_folder)))
        Home(str(home_folder)).write_bytes("kept", b"")
        assert step(settings(str(home_folder))).reused
        assert len(made) == 2

    def test_leaves_nothing_staged_when_it_fails_before_it_writes(self, home_folder: str) -> None:
        @builds(FIRST)
        def step(build: Build) -> dict[str, object]:
            raise RuntimeError("planted")

        with pytest.raises(RuntimeError, match="planted"):
            step(settings(str(home_folder)))
        assert not Home(str(home_folder)).exists("one")


def test_a_step_reads_its_own_settings_and_those_of_the_steps_before_it(home_folder: str) -> None:
    seen = SECOND.view(settings(str(home_folder)))
    assert (seen.retrieval.epochs, seen.split.ranking, seen.home) == (8, 0.15, str(home_folder))
    with pytest.raises(UndeclaredSetting, match="serving"):
        _ = seen.serving
    with pytest.raises(UndeclaredSetting, match="retrieval"):
        _ = FIRST.view(settings(str(home_folder))).retrieval.epochs


def test_what_is_taken_away_counts_for_nothing(home_folder: str) -> None:
    step = Step(name="x", command="remora x", settings=("ranking.models",))

    def version(**models: Any) -> str:
        return step.provenance(settings(str(home_folder), ranking={"models": models}), {}).version

    assert version() == version(network=None) == version(trees={})
    assert version(network={"experts": 2}) != version(network={"experts": 3}) != version()
    assert version(network={}, trees=None) != version(network={})
