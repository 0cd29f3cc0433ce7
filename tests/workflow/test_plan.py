"""What would run again: of every setting, and of files, code and what else may change; and nothing is written."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import RootModel, ValidationError
from tests.end_to_end.dataset import write
from tests.workflow.finished_run import finish_run

from remora.control.traffic import PATH as TRAFFIC
from remora.core.home import Home
from remora.core.section import Section
from remora.extensions import ComponentChoice, names
from remora.ingest import source_changes
from remora.ingest.file_fingerprints import FILE
from remora.settings import EventTypeSettings, RankingSettings, Settings, load
from remora.steps import Step
from remora.steps.path import BUNDLE, INGEST, RETRIEVAL, STEPS
from remora.steps.provenance import KEY
from remora.workflow.plan import RunPlan, plan
from remora.workflow.reasons import ReasonKind
from remora.workflow.step_plan import StepAction

ENDS = {"gates", "promote"}
JUDGED = {"evaluate", "bundle"} | ENDS
JUDGED_FIRST = ("merge weights", "evaluate", "bundle")
RANKED = {"train ranking"} | JUDGED
ROWS = {"ranking rows"} | RANKED
MERGED = {"merge weights"} | JUDGED
FOUND = ROWS | MERGED
TOWERS = {"train retrieval"} | FOUND
MODELS = {"train models"} | FOUND
FEATURES = {"feature build", "feast apply", "materialize"} | FOUND
ALL = {"ingest", "quality report", "train retrieval", "train models"} | FEATURES
"""A step that changes, and all that is made of what it makes."""

RUNS_AGAIN: dict[str, set[str]] = {
    # what is in the lake
    "data.events.*": ALL, "data.users.*": ALL, "data.items.*": ALL, "data.earliest": ALL, "data.impression": ALL,
    "data.max_clock_skew_seconds": ALL, "data.quarantine_limit": ALL, "data.duplicates": ALL,
    "data.unknown_items": ALL, "data.event_types.*.sign": ALL, "data.category": ALL, "data.available": ALL,
    # what is made of it
    "data.event_types.*.weight": FEATURES | TOWERS, "data.user_columns": FEATURES | TOWERS,
    "data.item_columns": FEATURES | TOWERS, "data.text_columns": FEATURES | TOWERS, "data.title": FEATURES,
    "split.*": TOWERS | MODELS,
    "features.history_length": FEATURES | TOWERS, "features.partitions": FEATURES | TOWERS,
    "features.redis": {"feast apply", "materialize"}, "features.registry": {"feast apply"}, "features.*": FEATURES,
    # the towers, and what else finds candidates, of which the ranker learns
    "retrieval.max_failures": set(),
    "retrieval.models.taste*": MODELS, "retrieval.models.factors*": MODELS, "retrieval.models.*": FOUND,
    "retrieval.*": TOWERS,
    # the ranker: rows, and models
    "ranking.objectives": ROWS,
    "ranking.*_per_query": ROWS, "ranking.*_queries": ROWS, "ranking.validation_negatives": ROWS,
    "ranking.candidates": ROWS, "ranking.seed": ROWS, "ranking.max_failures": set(), "ranking.surface": ROWS,
    "ranking.*": RANKED,
    # the surfaces
    "surfaces.home_feed.hide_seen": TOWERS | MODELS, "surfaces.home_feed.hydrators.*": FOUND,
    "surfaces.home_feed.sources.*": FOUND, "surfaces.home_feed.filters.*": FOUND,
    "surfaces.home_feed.pipeline": FOUND, "surfaces.home_feed.preset": FOUND,
    "surfaces.*.source_weights": MERGED, "surfaces.*.needs_item": MERGED, "surfaces.*.hide_seen": MERGED,
    "surfaces.*.hydrators.*": MERGED, "surfaces.*.sources.*": MERGED, "surfaces.*.filters.*": MERGED,
    "surfaces.*.pipeline": MERGED, "surfaces.next_up.preset": MERGED, "surfaces.alike.preset": MERGED,
    "surfaces.*": JUDGED,
    # how it is judged
    "evaluation.events_between_queries": FOUND, "evaluation.queries_per_user": FOUND, "evaluation.horizon_days": FOUND,
    "evaluation.max_snapshots": FOUND, "evaluation.attribution.*": ROWS,
    "evaluation.cutoffs": MERGED, "evaluation.new_user_events": MERGED | RANKED,
    "evaluation.seed": MERGED, "evaluation.*": JUDGED,
    "gates.*": {"gates"}, "serving.timeout_ms": {"gates"}, "data.clock": {"gates"},
    "data.dataset": {"download", "gates"},
    # where, by whom and how long: nothing is made again
    "serving.*": set(), "rollout.*": set(), "retraining.*": set(), "retention.*": set(), "tuning.*": set(),
    "registry.*": set(), "cluster.*": set(), "events.*": set(), "tracking_uri": set(), "name": set(),
}  # fmt: skip
"""Setting -> the steps that run again when it changes. The first that fits holds."""

ANOTHER_HOME = {"home", "events.kafka.brokers"}
"""What the plan looks into: with another it is another plan. Brokers are asked what they have."""
OF_ONE_VALUE = {
    "features.transforms.user_history",
    "data.events.0.distinct", "data.event_types.shown.sign", "ranking.models.trees.position_debiasing",
    "tuning.retrieval.id_dropout.log",
    "registry.require_signature", "gates.offline.0.metric",
    # of Iceberg and Delta tables alone
    "data.events.0.catalog", "data.events.0.snapshot", "data.events.0.version",
    "data.users.0.catalog", "data.users.0.snapshot", "data.users.0.version",
    "data.items.0.catalog", "data.items.0.snapshot", "data.items.0.version",
}  # fmt: skip
"""Any other value is refused, beside the other settings."""


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A home after a run of a small shop."""
    folder = tmp_path_factory.mktemp("finished")
    written = load(write(folder, people=20, things=15, events=300), home=str(folder / "home")).model_dump()
    written["retrieval"]["models"]["factors"] = {"type": "matrix_factorization"}
    settings = Settings.model_validate(written)
    shown = {"event_types": settings.data.event_types | {"shown": EventTypeSettings(sign=0)}, "impression": "shown"}
    ranking = RankingSettings.model_validate(settings.ranking.model_dump() | {"models": {}})  # the trees alone
    settings = settings.model_copy(update={"data": settings.data.model_copy(update=shown), "ranking": ranking})
    finish_run(settings)
    return settings


@pytest.fixture
def changed(finished: Settings, tmp_path: Path) -> Settings:
    """The same, in a home that a test may change."""
    shutil.copytree(finished.home, tmp_path / "home")
    return finished.model_copy(update={"home": str(tmp_path / "home")})


def runs(found: RunPlan) -> set[str]:
    return set(found.named(StepAction.RUN))


def test_after_a_run_nothing_would_run(finished: Settings) -> None:
    found = plan(finished)
    assert {one.step.name: one.action for one in found.steps} == {
        one.step.name: StepAction.UNCHANGED for one in found.steps
    }
    assert found.summary == "Nothing would run: all 14 steps are unchanged."


def test_every_setting_makes_again_what_depends_on_it_and_nothing_else(finished: Settings) -> None:
    wrong, seen = {}, set[str]()
    for path, other in others(finished):
        if path in ANOTHER_HOME:
            continue
        rule = next((rule for rule in RUNS_AGAIN if fnmatch(path, rule)), None)
        found = runs(plan(other))
        seen.add(str(rule))
        if rule is None or found != RUNS_AGAIN[rule]:
            wrong[path] = sorted(found ^ RUNS_AGAIN.get(str(rule), set()))
    assert not wrong
    assert seen == RUNS_AGAIN.keys(), "a line of the table is of no setting"


def test_a_changed_learning_rate_says_so_and_names_what_follows(finished: Settings) -> None:
    found = {one.step.name: one for one in plan(with_retrieval(finished, learning_rate=0.004)).steps}
    (reason,) = found["train retrieval"].reasons
    assert (reason.kind, reason.text) == (ReasonKind.SETTING, "retrieval.learning_rate: 0.002 → 0.004")
    assert reason.details == {"setting": "retrieval.learning_rate", "before": 0.002, "after": 0.004}
    assert [r.text for r in found["ranking rows"].reasons] == ["'train retrieval' runs before it"]
    assert found["train retrieval"].version
    assert found["train retrieval"].version != RETRIEVAL.artifacts(Home(finished.home)).current_version()


def test_what_was_made_with_earlier_settings_is_taken_up_again(changed: Settings) -> None:
    finish_run(with_retrieval(changed, learning_rate=0.004))
    found = plan(changed)
    assert runs(found) == set()
    assert found.named(StepAction.REUSE) == ["train retrieval", "ranking rows", "train ranking", *JUDGED_FIRST]
    assert "6 of 14 steps would take up an earlier result: train retrieval, " in found.summary


class TestFiles:
    def test_that_are_new_in_size_run_everything(self, changed: Settings, tmp_path: Path) -> None:
        moved = with_events(changed, tmp_path)
        finish_run(moved)
        assert runs(plan(moved)) == set()
        with Path(moved.data.events[0].path).open("a") as file:
            file.write("u1,i1,buy,1700006400,2.0\n")
        found = plan(moved)
        assert runs(found) == ALL | ENDS
        assert "events.csv is not as it was" in found.steps[0].reasons[0].text

    def test_that_are_changed_and_have_their_size_run_everything(self, changed: Settings, tmp_path: Path) -> None:
        moved = with_events(changed, tmp_path)
        finish_run(moved)
        path = Path(moved.data.events[0].path)
        path.write_text(path.read_text().replace("u1", "u2"))
        assert runs(plan(moved)) == ALL | ENDS

    def test_that_are_written_again_alike_run_nothing(self, changed: Settings, tmp_path: Path) -> None:
        moved = with_events(changed, tmp_path)
        finish_run(moved)
        path = Path(moved.data.events[0].path)
        path.write_bytes(path.read_bytes())
        assert runs(plan(moved)) == set()

    def test_that_are_written_again_and_large_may_run_everything(
        self, changed: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        moved = with_events(changed, tmp_path)
        finish_run(moved)
        path = Path(moved.data.events[0].path)
        path.write_bytes(path.read_bytes())
        monkeypatch.setattr(source_changes, "MOST_HASHED_BYTES", 1)
        found = plan(moved)
        assert runs(found) == set()
        assert set(found.named(StepAction.UNKNOWN)) == ALL | ENDS
        assert "written again, maybe with the same content" in found.steps[0].reasons[0].text

    def test_that_are_gone_are_said(self, changed: Settings, tmp_path: Path) -> None:
        moved = with_events(changed, tmp_path)
        finish_run(moved)
        Path(moved.data.events[0].path).unlink()
        assert "No file or directory" in plan(moved).steps[0].reasons[0].text


class TestOutsideOfArtifacts:
    def test_another_bundle_in_production_means_promoting(self, changed: Settings) -> None:
        home = Home(changed.home)
        home.write_json(TRAFFIC, {**home.read_json(TRAFFIC), "production": "another"})
        assert runs(plan(changed)) == ENDS
        assert "bundle another is in production" in plan(changed).steps[-1].reasons[0].text

    def test_a_bundle_that_is_removed_is_built_again(self, changed: Settings) -> None:
        Home(changed.home).delete("bundles")
        found = plan(changed)
        assert runs(found) == {"bundle"} | ENDS
        assert "has been removed" in found.steps[-3].reasons[0].text

    def test_other_declarations_of_features_are_applied(
        self, changed: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "entities.py").write_text("")
        monkeypatch.setenv("REMORA_FEATURE_REPO", str(tmp_path))
        found = plan(changed)
        assert runs(found) == {"feast apply"}
        assert "feature_repo/ has changed" in [r.text for one in found.steps for r in one.reasons]


def test_another_code_runs_everything_and_says_why(changed: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("remora.__version__", "9.9.9")
    found = plan(changed)
    assert runs(found) == ALL | ENDS
    assert any(reason.text.endswith("→ 9.9.9") for reason in found.steps[0].reasons)


def test_a_version_of_before_provenance_was_recorded_is_made_again(changed: Settings) -> None:
    artifacts = BUNDLE.artifacts(Home(changed.home))
    artifacts.commit(artifacts.staging("old"), bundle="old")
    artifacts.remove(str(plan(changed).steps[-3].version))
    assert runs(plan(changed)) == {"bundle"} | ENDS
    assert "did not record its settings" in plan(changed).steps[-3].reasons[0].text


@pytest.mark.parametrize("step", [INGEST, RETRIEVAL, BUNDLE], ids=lambda step: step.name)
def test_a_version_that_is_damaged_does_not_end_the_plan(changed: Settings, step: Step) -> None:
    current = step.artifacts(Home(changed.home)).current()
    Path(current.at("metadata.json")).write_text("{")
    (found,) = [one for one in plan(changed).steps if one.step.name == step.name]
    assert found.action is StepAction.RUN
    assert "metadata.json" in found.reasons[0].text


def test_a_list_of_files_that_is_damaged_does_not_end_the_plan(changed: Settings) -> None:
    Path(INGEST.artifacts(Home(changed.home)).current().at(FILE)).write_bytes(b"PAR1")
    assert "files.parquet" in plan(changed).steps[0].reasons[0].text


def test_an_empty_home_runs_everything_and_is_left_empty(finished: Settings, tmp_path: Path) -> None:
    empty = finished.model_copy(update={"home": str(tmp_path / "nowhere")})
    found = plan(empty)
    assert runs(found) == {one.step.name for one in found.steps}
    assert found.summary == "All 14 steps would run."
    assert not (tmp_path / "nowhere").exists()


def test_a_plan_writes_nothing(finished: Settings) -> None:
    before = {file: file.stat().st_mtime_ns for file in Path(finished.home).rglob("*")}
    plan(with_retrieval(finished, epochs=1))
    assert {file: file.stat().st_mtime_ns for file in Path(finished.home).rglob("*")} == before


def test_a_plan_is_json_and_metadata_hold_no_credential(changed: Settings) -> None:
    secret = changed.model_copy(update={"tracking_uri": "postgresql://u:secret@db/mlflow"})
    assert "secret" not in json.dumps(plan(secret).as_json())
    for step in STEPS:
        assert "secret" not in json.dumps(step.provenance(secret, {}).as_json())
    assert KEY in (INGEST.artifacts(Home(changed.home)).current().metadata)


@pytest.mark.parametrize(
    ("policy", "last"), [("candidate", "gates"), ("promote", "promote"), ("rollout:canary:5%:1h,full", "rollout")]
)
def test_a_scheduled_run_ends_where_its_policy_says(finished: Settings, policy: str, last: str) -> None:
    retraining = finished.retraining.model_copy(update={"on_success": policy})
    chosen = finished.model_copy(update={"retraining": retraining})
    assert plan(chosen, since_last=True).steps[-1].step.name == last


def with_retrieval(settings: Settings, **changes: Any) -> Settings:
    return settings.model_copy(update={"retrieval": settings.retrieval.model_copy(update=changes)})


def with_events(settings: Settings, folder: Path) -> Settings:
    """The events in a file of the test's own."""
    (source,) = settings.data.events
    path = shutil.copy(source.path, folder / "events.csv")
    data = settings.data.model_copy(update={"events": (source.model_copy(update={"path": str(path)}),)})
    return settings.model_copy(update={"data": data})


def others(settings: Settings) -> Iterator[tuple[str, Settings]]:
    """Of every single setting its path, and the settings with another value of it."""
    for place, field_type, value in leaves(settings):
        for candidate in candidates(value, field_type):
            try:
                other = Settings.model_validate(replaced(settings.model_dump(), place, candidate))
            except ValidationError:
                continue
            if other != settings:
                yield ".".join(map(str, place)), other
                break
        else:
            assert ".".join(map(str, place)) in OF_ONE_VALUE, f"{place}: no other value of {value!r} is found"


def leaves(value: Any, place: tuple[str | int, ...] = (), field_type: Any = None) -> Iterator[tuple[Any, Any, Any]]:
    if isinstance(value, ComponentChoice):
        yield place, field_type, value
        for name, field in type(value.config).model_fields.items():
            yield from leaves(getattr(value.config, name), (*place, name), field.annotation)
    elif isinstance(value, RootModel):
        yield from leaves(value.root, place)
    elif isinstance(value, Section):
        for name, field in type(value).model_fields.items():
            yield from leaves(getattr(value, name), (*place, name), field.annotation)
    elif isinstance(value, dict) and value:
        for name, one in value.items():
            yield from leaves(one, (*place, name))
    elif isinstance(value, tuple) and value and all(is_section(one) for one in value):
        for index, one in enumerate(value):
            yield from leaves(one, (*place, index))
    else:
        yield place, field_type, value


def is_section(value: Any) -> bool:
    return isinstance(value, Section) and not isinstance(value, ComponentChoice)


def candidates(value: Any, field_type: Any) -> Iterator[Any]:
    yield from (one for one in get_args(field_type) if not isinstance(one, type))  # of a Literal
    for inner in get_args(field_type):
        yield from (one for one in get_args(inner) if not isinstance(one, type))
    if isinstance(value, ComponentChoice):
        yield from (*(name for name in names(value.kind) if name != value.type), None)
    elif isinstance(value, bool):
        yield not value
    elif isinstance(value, int | float):
        yield from (value + 1, value - 1, value * 2, value * 0.9, value * 1.1, value + 0.01)
    elif isinstance(value, tuple | list):
        yield from ((*value, 45), (*value, "name"), value[:-1], ("name",), ("network",), ("ed25519:x",))
    elif isinstance(value, str) or value is None:
        yield from (None, *OF_TEXT, {})
    elif isinstance(value, dict):
        yield from (
            {"value": "number"},
            {"segment": {"events": ["buy"]}},
            {"trees": {"max_depth": {"choices": [3]}}},
            {"x": -1},
            {"like": 2.0},
            {"buy": 2.0},
            {"spaced": "category_diversity"},
        )
    else:
        yield value.replace(year=1999)


OF_TEXT = (
    "movielens-100k", "ease", "another", "utf-16", "\\", "%Y-%m-%d", "Europe/London", "postgresql://db/x",
    "https://hooks.example.org/x", "/elsewhere/x",
    "taste", "factors", "co_visitation", "linear", "similar_items", "home_feed",
    "remora.surfaces.popular_fallback:popular_fallback", "reciprocal_rank_fusion", "popular",
    "x.prom", "promote", "name", "country", "price", "buy", 7, 0.5, "^", "view", "string",
)  # fmt: skip
"""Texts that some setting takes."""


def replaced(values: Any, place: tuple[Any, ...], value: Any) -> Any:
    if not place:
        return value
    copied = list(values) if isinstance(values, list | tuple) else dict(values)
    copied[place[0]] = replaced(copied[place[0]], place[1:], value)
    return copied
