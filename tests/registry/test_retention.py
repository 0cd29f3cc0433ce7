"""What a home no longer needs goes, and only that; a process that is killed while it removes leaves nothing broken."""

from __future__ import annotations

import ast
import os
import signal
import subprocess
import sys
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.registry import releases

import remora
from remora.core.artifacts import Artifact, ArtifactStore
from remora.core.errors import NotReady
from remora.core.home import Home, StoredFile
from remora.registry.bundles import Bundles
from remora.registry.home_garbage import collect
from remora.registry.retention import CHECKPOINTS, GATES, OPENED, RUNS, Needs, expired
from remora.settings import Settings
from remora.settings.one_writer import one_writer
from remora.settings.retention import KINDS, KeepVersions, RetentionSettings

LATER = timedelta(days=2)


def put(home: Home, kind: str, version: str, content: bytes = b"rows", **report: str) -> Artifact:
    artifacts = ArtifactStore(home, kind, "remora")
    staging = artifacts.staging(version)
    home.write_bytes(f"{staging.folder}/part", content)
    return artifacts.commit(staging, **report)


def versions(home: Home, kind: str) -> list[str]:
    return [v for v in home.folders(f"{kind}/versions") if ArtifactStore(home, kind, "").find(v)]


def gone(
    settings: Settings, *, features: Collection[str] = (), delete: bool = True, after: timedelta = LATER
) -> set[str]:
    found = collect(settings, in_use={"features": features}, delete=delete, now=datetime.now(UTC) + after)
    return {one.path for one in found.garbage}


@pytest.fixture
def home(settings: Settings) -> Home:
    return Home(settings.home)


def test_the_newest_versions_stay_and_the_others_go(settings: Settings, home: Home) -> None:
    for n in range(13):
        put(home, "lake", f"v{n:02d}")
    assert gone(settings, delete=False) == {f"lake/versions/v{n:02d}" for n in range(10)}
    assert len(versions(home, "lake")) == 13, "without --delete nothing goes"
    assert len(gone(settings)) == 10
    assert versions(home, "lake") == ["v10", "v11", "v12"]
    assert home.files("lake/left") == ["v10", "v11"]
    assert ArtifactStore(home, "lake", "").current().version == "v12"
    assert gone(settings) == set()


def test_an_old_version_that_is_current_again_stays_and_what_it_was_made_from(settings: Settings, home: Home) -> None:
    for n in range(6):
        put(home, "lake", f"l{n}")
        put(home, "features", f"f{n}", lake=f"l{n}")
    ArtifactStore(home, "features", "").set_current("f0")
    gone(settings)
    assert versions(home, "features") == ["f0", "f3", "f4", "f5"]
    assert versions(home, "lake") == ["l0", "l3", "l4", "l5"]


def test_with_a_damaged_pointer_no_version_goes(settings: Settings, home: Home) -> None:
    for n in range(6):
        put(home, "lake", f"v{n}")
    ArtifactStore(home, "lake", "").set_current("v0")
    home.write_bytes("lake/CURRENT", b"w0\n")
    assert gone(settings) == set()


def test_what_feast_names_stays(settings: Settings, home: Home) -> None:
    for n in range(6):
        put(home, "features", f"f{n}")
    gone(settings, features={"f1"})
    assert versions(home, "features") == ["f1", "f3", "f4", "f5"]


def test_what_a_bundle_in_production_was_made_from_stays(settings: Settings, bundles: Bundles) -> None:
    for n in range(6):
        put(bundles.home, "ranking", f"r{n}")
    lineage = releases.LINEAGE.model_copy(update={"artifacts": {"ranking": "r1"}})
    bundle = bundles.build(
        {"ranker.ubj": b"b", "vocabulary.parquet": b"ids"},
        lineage=lineage,
        metrics=releases.METRICS,
        surfaces=("home_feed",),
    )
    bundles.promote(bundle.id, by="ann", why="good")
    others = [releases.build(bundles, f"model {n}".encode()).id for n in range(8)]
    found = gone(settings)
    assert versions(bundles.home, "ranking") == ["r1", "r3", "r4", "r5"]
    assert len([path for path in found if path.startswith("bundles/")]) == 3
    left = {listed.id for listed in bundles.list()}
    assert left == {bundle.id, *others} - {path.removeprefix("bundles/") for path in found}
    assert bundle.id in left
    assert len(bundles.history()) == 1
    bundles.open("production")


def test_a_reader_of_what_was_replaced_a_moment_ago_is_left_its_files(settings: Settings, home: Home) -> None:
    for n in range(6):
        put(home, "lake", f"v{n}")
    old = (datetime.now(UTC) - timedelta(days=9)).timestamp()
    for n in range(6):
        os.utime(home.at(f"lake/versions/v{n}/metadata.json"), (old, old))
    assert gone(settings, after=timedelta()) == set(), "all are old, and each was current a moment ago"


def test_a_command_that_writes_is_waited_for_by_nothing_and_named(settings: Settings, home: Home) -> None:
    put(home, "lake", "one")
    holds = "import sys; from remora.settings import Settings; from remora.settings.one_writer import one_writer\n"
    holds += "with one_writer(Settings.model_validate_json(sys.argv[1]), 'remora data ingest'):\n"
    holds += "    print('held', flush=True); sys.stdin.read()"
    process = subprocess.Popen(
        [sys.executable, "-c", holds, settings.model_dump_json()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    with pytest.raises(NotReady, match="remora data ingest"):
        gone(settings)
    assert gone(settings, delete=False) == set()
    process.communicate("")
    with one_writer(settings, "remora run"):
        assert gone(settings) == set(), "a run applies the retention itself"


def test_what_interrupted_commands_left_goes_in_its_time(settings: Settings, home: Home) -> None:
    left = {
        "features/staging/abc-123/user/part": "features/staging/abc-123",
        "features/versions/never_completed/part": "features/versions/never_completed",
        "tuning/staging/latest-123/x": "tuning/staging/latest-123",
        "mlflow/.new-a1b2c3d4/mlflow.db": "mlflow/.new-a1b2c3d4",
        "serving/.traffic.json.a1b2c3d4": "serving/.traffic.json.a1b2c3d4",
        "serving/opened/0123456789abcdef.done": "serving/opened/0123456789abcdef.done",
    }
    for path in (*left, "training/towers-1/checkpoint/x", "tuning/versions/mine/metadata.json", "rollouts/r1.json"):
        home.write_bytes(path, b"x")
    assert gone(settings, after=timedelta(hours=2)) == set()
    assert gone(settings) == set(left.values())
    assert gone(settings, after=timedelta(days=8)) == {"training/towers-1"}
    assert gone(settings, after=timedelta(days=3650)) == set()
    assert home.files("") == sorted([".writing.lock", "rollouts/r1.json", "tuning/versions/mine/metadata.json"])


def test_old_records_of_runs_go_but_for_the_last_and_the_last_success(settings: Settings, home: Home) -> None:
    outcomes = ("succeeded", "succeeded", "failed", "failed")
    for n, outcome in enumerate(outcomes):
        home.write_json(f"runs/2026010{n}.json", {"outcome": outcome})
    assert gone(settings, after=timedelta(days=80)) == set()
    assert gone(settings, after=timedelta(days=91)) == {"runs/20260100.json", "runs/20260102.json"}


def test_files_that_versions_share_are_freed_with_the_last(settings: Settings, home: Home) -> None:
    before = put(home, "lake", "v0", b"x" * 1000)
    for n in range(1, 5):
        artifacts = ArtifactStore(home, "lake", "remora")
        staging = artifacts.staging(f"v{n}")
        shared = staging.reuse(before, ["part"])
        before = artifacts.commit(staging, reused=shared)
    found = collect(settings, in_use={}, delete=True, now=datetime.now(UTC) + LATER)
    assert sum(one.bytes for one in found.garbage) > 2000
    assert found.freed_bytes < 1000, "the 1000 bytes are still those of v2, v3 and v4"
    before.verify()


KILLED = """
import os, signal, sys
from datetime import UTC, datetime, timedelta
import pyarrow.fs
from remora.registry.home_garbage import collect
from remora.core.home import Home
from remora.settings import Settings
settings, at, seen = Settings.model_validate_json(sys.argv[1]), int(sys.argv[2]), 0

def dying(real):
    def call(*args, **kwargs):
        global seen
        seen += 1
        if seen == at:
            if real is Home.delete:  # half of a folder is gone
                found = args[0].files(args[1])
                for path in found[: len(found) // 2]:
                    os.unlink(args[0].at(f"{args[1]}/{path}"))
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*args, **kwargs)
    return call

Home.delete, Home.rename = dying(Home.delete), dying(Home.rename)
collect(settings, in_use={}, delete=True, now=datetime.now(UTC) + timedelta(days=2))
"""


@pytest.mark.parametrize("at", [2, 3])
def test_a_kill_while_a_version_is_removed_leaves_whole_versions(settings: Settings, home: Home, at: int) -> None:
    for n in range(5):
        put(home, "lake", f"v{n}")
    ended = subprocess.run([sys.executable, "-c", KILLED, settings.model_dump_json(), str(at)], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert len(versions(home, "lake")) >= 3, "whatever has metadata is whole: it was verified when it was found"
    gone(settings)
    gone(settings, after=LATER * 2)
    assert versions(home, "lake") == ["v2", "v3", "v4"]
    assert home.files("lake/staging") == []


def test_a_home_on_s3_too(settings: Settings, bucket_home: str) -> None:
    there = settings.model_copy(update={"home": bucket_home})
    home = Home(bucket_home)
    for n in range(5):
        put(home, "lake", f"v{n}")
    assert gone(there) == {"lake/versions/v0", "lake/versions/v1"}
    assert versions(home, "lake") == ["v2", "v3", "v4"]


@given(st.lists(st.tuples(st.integers(0, 400), st.booleans(), st.booleans()), max_size=12), st.integers(1, 4))
def test_of_any_versions_the_needed_the_newest_and_the_young_stay(
    listed: list[tuple[int, bool, bool]], keep: int
) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    files, needed = [], set()
    for n, (hours, complete, need) in enumerate(listed):
        name = "metadata.json" if complete else "part"
        files.append(StoredFile(path=f"lake/versions/v{n}/{name}", bytes=1, at=now - timedelta(hours=hours)))
        needed |= {f"v{n}"} if need else set()
    found = expired(
        files, Needs(versions={"lake": needed}), RetentionSettings(keep_versions=KeepVersions(lake=keep)), now
    )
    removed = {one.path.rpartition("/")[2] for one in found if one.kind == "lake"}
    complete_ones = {f"v{n}": hours for n, (hours, complete, _) in enumerate(listed) if complete}
    stay = complete_ones.keys() - removed
    assert not removed & needed
    assert len(stay) >= min(keep, len(complete_ones))
    assert all(complete_ones[version] >= 1 for version in removed)
    for version in stay - needed:
        newer = [v for v in complete_ones if complete_ones[v] <= complete_ones[version]]
        assert len(newer) <= keep + sum(complete_ones[v] == complete_ones[version] for v in newer) or (
            complete_ones[version] < 1
        )


def test_every_artifact_that_is_made_again_has_a_retention() -> None:
    from remora.fitting import runs
    from remora.release.gates import report
    from remora.serving import load_guard
    from remora.steps.path import STEPS
    from remora.tuning import search
    from remora.workflow import run_records as records

    assert (runs.FOLDER, search.FOLDER) == CHECKPOINTS
    assert (records.FOLDER, report.FOLDER, load_guard.FOLDER) == (RUNS, GATES, OPENED)
    named = {"tuning", "tuning_ranking", "recommendations"}  # by whoever made them, or in a folder of theirs
    package = Path(str(remora.__file__)).parent
    found = {step.artifact for step in STEPS if step.artifact}
    for file in package.rglob("*.py"):
        for node in ast.parse(file.read_text()).body:
            if (
                isinstance(node, ast.FunctionDef)
                and node.returns is not None
                and ast.unparse(node.returns) == "ArtifactStore"
            ):
                module = ".".join(("remora", *file.relative_to(package).with_suffix("").parts))
                found.add(getattr(import_module(module), node.name)(Home("nowhere")).name)
    found |= {step.artifact for step in STEPS if step.artifact}
    assert found - named == set(KINDS)
