"""Retrieval quality under the literature's protocols: python -m benchmarks.retrieval --data FOLDER --protocol ..."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from benchmarks.command import Note, carried_out, common_options
from rich.console import Console
from rich.table import Table

PROTOCOLS = ("split", "leave-last-out", "time")


def main() -> None:
    """Run, print, and write the result where --out says."""
    options = common_options(__doc__)
    options.add_argument("--data", type=Path, required=True, help="a folder with events.parquet")
    options.add_argument("--protocol", choices=PROTOCOLS, required=True)
    options.add_argument(
        "--config", type=Path, help="a JSON file with what of the plan, or of the models, should differ"
    )
    options.add_argument("--minutes", type=float, default=35.0, help="bound of the training loop's time")
    options.add_argument("--workers", type=int, default=1, help="Ray Train workers")
    options.add_argument("--seed", type=int, default=7)
    chosen = options.parse_args()
    carried_out(
        "retrieval",
        lambda work, note: _run(chosen, work, note),
        facts={
            "data_folder": chosen.data.name,
            "protocol": chosen.protocol,
            "seed": chosen.seed,
            "minutes": chosen.minutes,
        },
        out=chosen.out,
        as_json=chosen.json,
        draw=_draw,
    )


def _run(chosen: argparse.Namespace, work: Path, note: Note) -> dict[str, Any]:
    from remora.wiring.cluster import quiet, use_token

    quiet()
    use_token()  # before anything imports Ray
    import ray
    from benchmarks.retrieval import leave_last_out, over_time, split

    changes = json.loads(chosen.config.read_text()) if chosen.config else {}
    ray.init(address="local", include_dashboard=False, log_to_driver=False, object_store_memory=1 << 30)
    protocol = {"split": split.run, "leave-last-out": leave_last_out.run, "time": over_time.run}[chosen.protocol]
    seconds = 60 * chosen.minutes
    try:
        return dict(
            protocol(
                chosen.data, work, seed=chosen.seed, seconds=seconds, workers=chosen.workers, changes=changes, note=note
            )
        )
    finally:
        ray.shutdown()


def _draw(out: Console, result: dict[str, Any]) -> None:
    names = list(next(iter(result["members"].values())))
    table = Table(title=f"{result['data_folder']}, {result['protocol']}", title_justify="left")
    table.add_column("member")
    for name in ("weight", *names):
        table.add_column(name, justify="right")
    for member, values in result["members"].items():
        weight = result["weights"].get(member)
        table.add_row(member, "" if weight is None else f"{weight:.3f}", *(f"{values[name]:.4f}" for name in names))
    out.print(table)
    if alike := result.get("like_for_like"):
        found = ", ".join(f"{name} {alike[name]:.4f}" for name in names)
        out.print(f"merged, without learning from the validation items: {found}")
    out.print(f"{result['data']}")
    out.print(f"intervals {result['intervals']}, {result['wall_seconds']} s, {result['peak_gib']} GiB")


if __name__ == "__main__":
    main()
