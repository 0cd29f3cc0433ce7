"""Training throughput beside recbole and torch-rechub: python -m benchmarks.training [--json].

An example is one positive, a pair of user and item that was had, for which a loss is computed: with a sequence model
every place of a window whose next item is known. Negatives are no examples, padding neither. All are given the same
events, batches of as many positives, the same width and threads; each draws negatives and computes its loss in its
own way, and the table says which. Epochs leave out reading, preparation, validation and checkpoints, for all alike.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.command import Note, carried_out, common_options
from rich.console import Console
from rich.table import Table

from remora.core.errors import DataError

RESULT = Path("benchmarks/results/training.json")
TIMED, FEW = 3, 64


def main() -> None:
    """Run, print, and write benchmarks/results/training.json."""
    options = common_options(__doc__)
    options.set_defaults(out=RESULT)
    options.add_argument("--data", type=Path, help="a folder with events.parquet (user_id, item_id, rows in order)")
    options.add_argument("--batch", type=int, default=2048, help="positives in a batch")
    options.add_argument("--dimension", type=int, default=64, help="width of the embeddings")
    options.add_argument("--length", type=int, default=50, help="items of a window, for sequence models")
    options.add_argument("--threads", type=int, default=2, help="of a peer, and of Remora's workers together")
    options.add_argument("--workers", type=int, default=1, help="Ray Train workers")
    options.add_argument(
        "--negatives", type=int, help="that a batch of Remora's matrix factorization shares; default: its plan's"
    )
    options.add_argument("--seconds", type=float, default=6.0, help="a peer's epoch is cut here")
    options.add_argument("--seed", type=int, default=7)
    options.add_argument("--alone", action="store_true", help="measure Remora without its peers")
    options.add_argument("--peers", type=Path, help="their virtual environment; default: .remora/peers")
    chosen = options.parse_args()
    carried_out(
        "training",
        lambda folder, note: run(chosen, folder, note),
        facts={},
        out=chosen.out,
        as_json=chosen.json,
        draw=_draw,
    )


def run(chosen: argparse.Namespace, folder: Path, note: Note) -> dict[str, Any]:
    """Everything that is reported. NotReady where the peers' environment is missing."""
    from remora.wiring.cluster import quiet, use_token

    quiet()
    use_token()  # before anything imports Ray
    from benchmarks.retrieval.hyperparameter_rules import plan_pairs
    from benchmarks.training import data, peers
    from benchmarks.training.table import PEERS, Work, compared

    if chosen.workers < 1 or chosen.threads % chosen.workers:
        raise DataError(f"{chosen.threads} threads cannot be shared evenly by {chosen.workers} workers.")
    python = None if chosen.alone else peers.interpreter(chosen.peers or peers.VENV)
    split = data.split(data.folder_of(chosen.data) if chosen.data else data.movielens(note))
    plan = plan_pairs(len(split.train), split.train.items, len(split.train.flat))
    work = Work(
        batch=chosen.batch,
        dimension=chosen.dimension,
        length=chosen.length,
        threads=chosen.threads,
        workers=chosen.workers,
        negatives=tuple(chosen.negatives or dict.fromkeys((plan.negatives, FEW))),
        few=FEW,
        rounds=1 + TIMED,
        limit_seconds=chosen.seconds,
        seed=chosen.seed,
    )
    rows = remora(split, work, folder, note)
    versions: dict[str, dict[str, str]] = {}
    if python is not None:
        split.save(folder / "events.npz")
        for model in PEERS:
            row = peer(python, split, model, work, folder, note)
            versions[model.package] = row.pop("versions", {})
            rows.append(row)
    return {
        "data_folder": chosen.data.name if chosen.data else "movielens-1m",
        "data": {
            "users": len(split.train),
            "items": split.train.items,
            "train": len(split.train.flat),
            "held_out": len(split.held.flat),
        },
        "work": vars(work),
        "timed_epochs": TIMED,
        "models": compared(rows),
        "peer_versions": versions,
    }


def remora(split: Any, work: Any, folder: Path, note: Note) -> list[dict[str, Any]]:
    """Its rows."""
    import ray
    from benchmarks.training import ours
    from benchmarks.training.table import REMORA, summary

    pair, sequence = REMORA
    found = []
    ray.init(address="local", include_dashboard=False, log_to_driver=False, object_store_memory=1 << 30)
    try:
        for negatives in work.negatives:
            note(f"remora, matrix factorization, {negatives} negatives")
            rounds, vectors = ours.matrix_factorization(split, work, negatives, folder, note)
            model = replace(pair, name=pair.name.format(negatives=f"{negatives} negatives"))
            found.append(summary(model, rounds, len(split.train.flat)) | quality(split, vectors, work.seed))
        for few in (None, work.few):
            against = f"{few} negatives" if few else "whole catalogue"
            note(f"remora, sequential tower, {against}")
            rounds = ours.sequential_tower(split, work, few, folder, note)
            model = replace(sequence, name=sequence.name.format(negatives=against))
            found.append(summary(model, rounds, rounds[0].examples))
    finally:
        ray.shutdown()
    return found


def peer(python: Path, split: Any, model: Any, work: Any, folder: Path, note: Note) -> dict[str, Any]:
    """One row; with ``failed`` where the peer does not run."""
    from benchmarks.training import peers
    from benchmarks.training.table import summary

    note(f"{model.package}, {model.name}")
    own = folder / f"{model.package}-{model.name}"
    line = peers.run(python, model, work, folder / "events.npz", own)
    if "failed" in line:
        note(line["failed"])
        return {"model": model.name, "kind": model.kind, "library": model.package, "failed": line["failed"]}
    row = summary(model, line["rounds"], line["positives"]) | {"versions": line["versions"]}
    if (saved := own / "vectors.npz").exists():
        row |= quality(split, dict(np.load(saved)), work.seed)
    note(f"{row['examples_per_second']:,} examples/s")
    return row


def quality(split: Any, vectors: dict[str, np.ndarray], seed: int) -> dict[str, float]:
    """Recall@20 on what was held out, all items ranked but those of training, over at most 3,000 users."""
    from benchmarks.retrieval.measure import blocks, of_pairs

    asked = np.flatnonzero(split.held.lengths)
    asked = np.sort(np.random.default_rng(seed).permutation(asked)[:3_000])
    total = 0.0
    for part in blocks(len(asked), split.train.items):
        users = asked[part]
        scores = np.ascontiguousarray(vectors["users"][users] @ vectors["items"].T, np.float32)
        total += of_pairs(scores, split.train.chosen(users).matrix(), split.held.chosen(users).matrix())[
            "recall@20"
        ].sum()
    return {"recall@20": round(float(total / len(asked)), 4)}


def _draw(out: Console, result: dict[str, Any]) -> None:
    work, data = result["work"], result["data"]
    title = (
        f"{result['data_folder']}, {data['train']:,} pairs, batches of {work['batch']:,} positives, "
        f"width {work['dimension']}, {work['threads']} threads, medians of {result['timed_epochs']} epochs"
    )
    table = Table(title=title, title_justify="left")
    for name in ("", "examples/s", "over fastest peer", "waiting for data", "s per epoch", "recall@20 after s"):
        table.add_column(name, justify="right" if name else "left")
    for row in result["models"]:
        name = f"{row['library']} {row['model']}"
        if "failed" in row:
            table.add_row(name, "failed")
            out.print(f"{name}: {row['failed']}", highlight=False, markup=False)
            continue
        epoch = f"{row['seconds_per_epoch']:,}" + ("" if row["whole_epochs"] else " predicted")
        recall = f"{row['recall@20']:.4f} after {row['trained_seconds']:.0f}" if "recall@20" in row else ""
        wait = f"{100 * row['data_wait']:.1f}%"
        table.add_row(
            name, f"{row['examples_per_second']:,}", str(row.get("over_fastest_peer", "")), wait, epoch, recall
        )
        out.print(f"{name}: {row['how']}", highlight=False, markup=False)
    out.print(table)


if __name__ == "__main__":
    main()
