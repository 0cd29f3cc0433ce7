"""Three simulated weeks of serve, events, features, retraining, gates and canary: python -m benchmarks.weeks [--json].

A world whose truth is known has a past by its logging policy, on which a first bundle is trained. Then its users live
three weeks with the server. At the end of each week the log is collected, features are built, models are trained, the
gates judge the bundle, and a canary of one simulated day brings it to all users. Beside it the same users live the same
days with the first bundle, frozen: without the live state, and with it.

Everything is the platform's own but for the clock: see docs/benchmarks/simulated_weeks.md.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.command import Note, carried_out, common_options
from benchmarks.weeks.plan import MEASURED
from rich.console import Console
from rich.table import Table

GOALS = {"regret_reduction": 0.2, "seconds": 900}


def main() -> None:
    """Run, and print or write."""
    options = common_options(__doc__)
    options.add_argument("--seed", type=int, default=MEASURED.world.seed, help="of the world")
    chosen = options.parse_args()
    plan = MEASURED.with_seed(chosen.seed)

    def work(folder: Path, note: Note) -> dict[str, Any]:
        from remora.wiring.cluster import connect

        connect(plan.settings(folder / "tables", folder / "home"))  # before anything imports Ray
        from benchmarks.weeks.simulate import simulated

        return simulated(plan, folder, note)

    carried_out(
        "weeks",
        work,
        facts={"goals": GOALS, "world": plan.world.model_dump(mode="json"), "training": plan.training},
        out=chosen.out,
        as_json=chosen.json,
        draw=drawn,
    )


def drawn(out: Console, result: dict[str, Any]) -> None:
    """As tables."""
    table = Table(title="Regret of a request, of people", title_justify="left")
    for column in ("against", "of the loop", "of it", "lower by", "95%"):
        table.add_column(column, justify="left" if column == "against" else "right")
    for name, one in result["regret"].items():
        low, high = one["reduction_interval"]
        table.add_row(
            name, f"{one['loop']:.3f}", f"{one['other']:.3f}", f"{one['reduction']:.1%}", f"{low:.1%} to {high:.1%}"
        )
    out.print(table)
    for name in ("seen_items_shown", "events", "slates", "leaks", "parity_requests", "parity_differences"):
        out.print(f"{name}: {result[name]}")
    out.print(f"{result['seconds']:.0f} s, {result['core_seconds']:.0f} core s: {result['seconds_by_phase']}")


if __name__ == "__main__":
    main()
