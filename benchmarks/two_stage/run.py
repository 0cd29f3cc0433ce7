"""Two stages against single models on a time split: python -m benchmarks.two_stage --data FOLDER [--json].

Popularity with recency, implicit's ALS, LensKit's item kNN and RecTools' SASRec, each tuned on the validation window
with the same time, beside retrieval alone and the surface with trees, with the deep ranker, and with both. All are
asked the same queries of the test window, ranked over all unseen items, and judged by the same replay.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.command import Note, carried_out, common_options
from benchmarks.two_stage.table import drawn, summarised
from benchmarks.two_stage.where import settings_of

from remora.core.errors import NotReady
from remora.settings import RankingSettings

HERE, VENV = Path(__file__).parent, Path(".remora/two-stage-peers")
PEERS = ("popularity", "implicit ALS", "LensKit item kNN", "RecTools SASRec")
MODELS: dict[str, dict[str, Any]] = {
    "trees": {},
    "network": {"trees": None, "network": {}},
    "both": {"network": {}},
}
"""What `ranking.models` has over its default."""
TIMED = 150
MAKE = """\
There is no {python}. Make it with

  python3.11 -m venv {venv}
  {venv}/bin/pip install torch==2.13.0
  {venv}/bin/pip install -r benchmarks/two_stage/peers.txt

in this order: asked for together with others, pip would take a torch with gigabytes of CUDA."""


def main() -> None:
    """Run, print, and write the result where --out says."""
    options = common_options(__doc__)
    options.add_argument("--data", required=True, help="a folder of tables, or a name such as movielens-1m")
    options.add_argument(
        "--config", type=Path, help="settings; default: config.yaml of the folder, or config/NAME.yaml"
    )
    options.add_argument("--home", type=Path, help="keep what is made here, and use what is unchanged")
    options.add_argument("--peers", type=Path, default=VENV, help="virtual environment of peers.txt")
    options.add_argument("--minutes", type=float, default=5.0, help="for the choice of each peer's settings")
    options.add_argument("--seed", type=int, default=7)
    options.add_argument("--threads", type=int, default=2)
    chosen = options.parse_args()
    carried_out(
        "two_stage",
        lambda work, note: _run(chosen, work, note),
        facts={"data": Path(chosen.data).name, "seed": chosen.seed, "minutes": chosen.minutes},
        out=chosen.out,
        as_json=chosen.json,
        draw=drawn,
    )


def _run(chosen: argparse.Namespace, work: Path, note: Note) -> dict[str, Any]:
    from remora.wiring.cluster import connect, quiet, use_token

    quiet()
    use_token()  # before anything imports Ray
    import ray

    python = chosen.peers / "bin" / "python"
    if not python.exists():
        raise NotReady(MAKE.format(python=python, venv=chosen.peers))
    settings = settings_of(chosen.data, chosen.config, chosen.home or work / "home")
    connect(settings)
    try:
        return _compared(chosen, python.absolute(), settings, work, note)
    finally:
        ray.shutdown()


def _compared(chosen: argparse.Namespace, python: Path, settings: Any, work: Path, note: Note) -> dict[str, Any]:
    from benchmarks.two_stage.export import exported
    from benchmarks.two_stage.lists import StepComparison

    from remora.core.home import Home
    from remora.datasets.queries import queries
    from remora.datasets.splits import time_split
    from remora.ingest.lake import Lake
    from remora.retrieval.two_tower import Towers
    from remora.training import merge, ranking
    from remora.training.retrieval import retrieval_artifacts
    from remora.wiring.replay_state import ReplayStates
    from remora.workflow import path
    from remora.workflow.evaluation import TestWindow

    seconds: dict[str, float] = {}
    for step in path.steps(settings):
        if step.name == "train ranking":
            break
        note(step.command)
        at = time.perf_counter()
        step.run(settings)
        seconds[step.name] = time.perf_counter() - at
    home = Home(settings.home)
    lake, split = Lake.open(home), time_split(settings, Lake.open(home))
    trained = home.local_copy(retrieval_artifacts(home).current().folder)
    towers = Towers.load(trained, settings.retrieval.history_encoder)
    rankers = {}
    for name, models in MODELS.items():
        note(f"remora train ranking, {name}")
        at = time.perf_counter()
        chosen_models = RankingSettings.model_validate(settings.ranking.model_dump() | {"models": models})
        ranked = settings.model_copy(update={"ranking": chosen_models})
        rankers[name] = _ranker(ranking.train(ranked), ranked, towers)
        seconds[f"train ranking, {name}"] = time.perf_counter() - at
    note("remora train merge")
    weights = merge.choose_weights(settings)
    folder = work / "peers"
    folder.mkdir()
    exported(lake, settings, queries(settings, lake, split.validation), split.validation.start, folder, "validation")
    asked = queries(settings, lake, split.test)
    exported(lake, settings, asked, split.test.start, folder, "test")
    told = {peer: _peer(peer, python, folder, chosen, note) for peer in PEERS}
    vocabulary = lake.vocabulary()
    lists = {
        peer: {
            query: np.array([row for row in map(vocabulary.row, items) if row is not None], np.int32)
            for query, items in json.loads((folder / f"{peer}.json").read_text()).items()
        }
        for peer, one in told.items()
        if "failed" not in one
    }
    kept: list[ReplayStates] = []

    def systems(moments: ReplayStates) -> Any:
        kept.append(moments)
        alone = {name: rankers[name] for name in ("trees", "network")}
        return StepComparison(moments=moments, rankers=alone, peers=lists).at

    note(f"{len(asked):,} queries of the test window, {len(lists) + 4} systems")
    report = TestWindow.of(settings, lake, towers, rankers["both"], merge.read_weights(weights)).compared(systems)
    at_first = StepComparison(moments=kept[0], rankers={n: rankers[n] for n in ("trees", "network")}, peers={}).at
    return summarised(report, told, seconds, _timed(settings, lake, asked, at_first))


def _ranker(made: Any, settings: Any, towers: Any) -> Any:
    from remora.ranking.ranker import Ranker

    return Ranker.load(made.home.local_copy(made.folder), settings.ranking.learned, towers.encoder.item_vectors)


def _peer(peer: str, python: Path, folder: Path, chosen: argparse.Namespace, note: Note) -> dict[str, Any]:
    """What the driver said of itself, or the end of what it said under ``failed``."""
    note(f"{peer}, {chosen.minutes:g} minutes to choose")
    begun = time.perf_counter()
    command = [python, HERE / "drive.py", peer, folder, chosen.minutes, chosen.seed, chosen.threads]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode:
        return {"failed": "\n".join(done.stderr.strip().splitlines()[-8:])}
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found | {"seconds": time.perf_counter() - begun}


def _timed(settings: Any, lake: Any, asked: Any, at: Any) -> dict[str, dict[str, float]]:
    """Milliseconds of a slate of a hundred for each of the surfaces, in this process: p50 and p99."""
    from remora.pipeline import Query

    some = [
        Query(request_id=q["query_id"], surface="home_feed", n=100, instant=q["instant"], user_id=q["user_id"])
        for q in asked.slice(0, TIMED).to_pylist()
    ]
    found = {}
    for name, pipeline in at(some[0].instant).pipelines.items():
        passed, known = [], [pipeline.hydrate(query) for query in some]
        for state in [*known[:10], *known]:
            begun = time.perf_counter()
            pipeline.slate(state)
            passed.append(1_000 * (time.perf_counter() - begun))
        p50, p99 = (round(float(np.percentile(passed[10:], q)), 2) for q in (50, 99))
        found[name] = {"p50_ms": p50, "p99_ms": p99}
    return found
