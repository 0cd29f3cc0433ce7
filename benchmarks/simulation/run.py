"""How like real data the simulated worlds are, and how fast: python -m benchmarks.simulation [--json] [--preset shop].

Each preset lives as long as it takes to make about as many clicks as its data has; its clicks are held against the
data's ratings or invoice lines. MovieLens-100K is downloaded as `remora data download` does; Online Retail is read from
where REMORA_BENCH_DATA points, and left out without it. Neither says in which place of a slate an item stood, so the
click rate by position is held against the curve that the world itself declares, on slates in random order.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import polars as pl
from benchmarks.command import Note, carried_out, common_options
from rich.console import Console
from rich.table import Table
from scipy.stats import ks_2samp

from remora.simulation.logging_policy import LoggingPolicy
from remora.simulation.presets import PRESETS, WorldPreset
from remora.simulation.visits import visits
from remora.simulation.world import World

CONFIG = Path(__file__).parents[2] / "config" / "movielens_100k.yaml"
PAUSE_SECONDS = 1_800
RUNS, RATE_USERS, RATE_SECONDS = 5, 10_000, 4.0
SLATES, BATCH = 400_000, 1_000
GATES = {"gini": 0.05, "repeat_share": 0.05, "session_ks": 0.1, "position_slope": 0.1}
"""Differences at most; of the slope as a fraction of it, of sessions the Kolmogorov–Smirnov distance itself."""


def main() -> None:
    """Run, and print or write."""
    options = common_options(__doc__)
    options.add_argument("--preset", choices=sorted(PRESETS), action="append", help="only this one")
    chosen = options.parse_args()
    carried_out(
        "simulation",
        lambda folder, note: measured(chosen.preset or list(PRESETS), folder, note),
        facts={"runs": RUNS, "gates": GATES},
        out=chosen.out,
        as_json=chosen.json,
        draw=drawn,
    )


def measured(names: list[str], folder: Path, note: Note) -> dict[str, Any]:
    """Fidelity and rate of each preset."""
    fidelity, rates = {}, {}
    for name in names:
        rows = DATA[name](folder)
        if rows is None:
            note(f"{name}: its data is not here, so it is held against the preset's figures alone")
        fidelity[name] = compared(PRESETS[name], rows)
        note(f"{name}: {fidelity[name]}")
        rates[name] = rate(PRESETS[name])
        note(f"{name}: {rates[name]}")
    return {"fidelity": fidelity, "rates": rates}


def movielens(folder: Path) -> pl.DataFrame:
    """Ratings: user, item, and the visit, which ends with a pause of half an hour."""
    from remora.ingest.download import download
    from remora.settings import load

    settings = load(CONFIG, home=str(folder / "home"))
    download(settings, lambda what: None)
    path = folder / "home" / settings.data.events[0].path
    rows = pl.read_csv(path, separator="\t").select(
        user=pl.col("user_id:token"), item=pl.col("item_id:token"), at=pl.col("timestamp:float")
    )
    pause = pl.col("at").diff().over("user").fill_null(PAUSE_SECONDS + 1) > PAUSE_SECONDS
    return rows.sort("user", "at").with_columns(visit=pause.cum_sum())


def online_retail(folder: Path) -> pl.DataFrame | None:
    """Lines of invoices: no guests, no free lines, no cancellations."""
    given = os.environ.get("REMORA_BENCH_DATA")
    if not given:
        return None
    bought = pl.col("user_id").is_not_null() & (pl.col("price") > 0) & (pl.col("quantity") > 0)
    rows = pl.read_parquet(Path(given) / "online_retail" / "events.parquet").filter(bought)
    return rows.select(user="user_id", item="item_id", at="timestamp", visit="invoice").sort("at")


DATA: dict[str, Callable[[Path], pl.DataFrame | None]] = {"movielens": movielens, "shop": online_retail}


def compared(preset: WorldPreset, data: pl.DataFrame | None) -> dict[str, Any]:
    """The world's statistics beside the data's, or beside those that the preset has of it."""
    made = world_rows(preset)
    quantiles = np.asarray(preset.world.interactions)
    of_preset = np.rint(np.interp(np.linspace(0, 1, 10_001), np.linspace(0, 1, len(quantiles)), quantiles))
    targets = {"gini": preset.targets.gini, "repeat_share": preset.targets.repeat_share}
    if data is not None:
        targets = {"gini": gini(data), "repeat_share": repeat_share(data)}
    declared = -preset.world.position_decay
    return {
        "against": "the preset" if data is None else "the data",
        "clicks": {"world": made.height, "target": None if data is None else data.height},
        "gini": beside(gini(made), targets["gini"], "gini"),
        "repeat_share": beside(repeat_share(made), targets["repeat_share"], "repeat_share"),
        "session_ks": {
            "world": (
                found := round(float(ks_2samp(sizes(made), of_preset if data is None else sizes(data)).statistic), 4)
            ),
            "target": 0.0,
            "passed": found < GATES["session_ks"],
        },
        "position_slope": beside(position_slope(preset), declared, "position_slope", relative=True),
    }


def beside(found: float, target: float, gate: str, *, relative: bool = False) -> dict[str, Any]:
    """A statistic of the world, its target, and whether the difference is allowed."""
    allowed = GATES[gate] * (abs(target) if relative else 1)
    return {"world": round(found, 4), "target": round(target, 4), "passed": abs(found - target) <= allowed}


def world_rows(preset: WorldPreset) -> pl.DataFrame:
    """Clicks of a world: user, item, visit, in order."""
    world = World(preset.world)
    parts = []
    for day in visits(world, LoggingPolicy(world), preset.days):
        row, place = np.nonzero(day.clicked)
        columns = {"user": day.users[row], "item": day.slates[row, place], "visit": day.visits[row], "at": day.at[row]}
        parts.append(pl.DataFrame(columns))
    return pl.concat(parts).sort("at", maintain_order=True)


def gini(rows: pl.DataFrame) -> float:
    """Of the counts of items that occur: 0 where all are equal, 1 where one has all."""
    counts = np.sort(rows.group_by("item").len()["len"].to_numpy()).astype(float)
    n = len(counts)
    return float((2 * np.arange(1, n + 1) - n - 1) @ counts / (n * counts.sum()))


def repeat_share(rows: pl.DataFrame) -> float:
    """Of rows whose user had the item in an earlier one."""
    return 1 - rows.select(pl.struct("user", "item").n_unique()).item() / rows.height


def sizes(rows: pl.DataFrame) -> np.ndarray:
    """Rows of each visit."""
    return rows.group_by("user", "visit").len()["len"].to_numpy()


def position_slope(preset: WorldPreset) -> float:
    """Of log click rates on log positions, of people's clicks on slates in random order."""
    world = World(preset.world.model_copy(update={"bot_fraction": 0.0}))
    draw = np.random.default_rng(preset.world.seed)
    n, clicks = preset.world.slate_size, np.zeros(preset.world.slate_size)
    users = world.settings.users
    for _ in range(SLATES // BATCH):
        who = draw.permutation(users)[: min(BATCH, users)]
        slates = draw.integers(0, world.settings.items, (len(who), n))
        clicks += world.respond(who, slates, np.zeros(len(who))).clicked.sum(axis=0)
    return float(np.polyfit(np.log(np.arange(1, n + 1)), np.log(clicks), 1)[0])


def rate(preset: WorldPreset) -> dict[str, Any]:
    """Requests of one process, with the logging policy and with slates that are given; medians of runs.

    By the clock, and by core seconds, which what else the machine does changes less.
    """
    busy = preset.world.model_copy(update={"users": RATE_USERS, "visits_per_day": 0.2})
    found: dict[str, list[float]] = {"logging_policy": [], "logging_policy_wall": [], "given_slates": []}
    for seed in range(RUNS):
        world, requests = World(busy.model_copy(update={"seed": seed})), 0
        began, core = time.perf_counter(), time.process_time()
        for day in visits(world, LoggingPolicy(world), 1_000):
            requests += len(day.users)
            if time.process_time() - core > RATE_SECONDS:
                break
        found["logging_policy"].append(requests / (time.process_time() - core))
        found["logging_policy_wall"].append(requests / (time.perf_counter() - began))
        found["given_slates"].append(given_slates(World(busy.model_copy(update={"seed": seed})), seed))
    return {"users": RATE_USERS, **{what: spread(rates) for what, rates in found.items()}}


def given_slates(world: World, seed: int) -> float:
    """Requests a core second where another policy has made the slates."""
    draw = np.random.default_rng(seed)
    users = np.arange(BATCH)
    slates = draw.integers(0, world.settings.items, (50, BATCH, world.settings.slate_size))
    world.begin(users)
    core = time.process_time()
    for batch in slates:
        world.respond(users, batch, np.zeros(BATCH))
    return len(slates) * BATCH / (time.process_time() - core)


def spread(rates: list[float]) -> dict[str, int]:
    """Median, least and most."""
    return {"median": round(median(rates)), "least": round(min(rates)), "most": round(max(rates))}


def drawn(out: Console, result: dict[str, Any]) -> None:
    """As tables."""
    table = Table(title="Simulated worlds beside the data", title_justify="left")
    for name in ("preset", "statistic", "world", "target", "allowed", ""):
        table.add_column(name, justify="right" if name in ("world", "target", "allowed") else "left")
    for preset, found in result["fidelity"].items():
        for statistic, allowed in result["gates"].items():
            row = found[statistic]
            limit = f"{allowed:.0%} of it" if statistic == "position_slope" else f"{allowed}"
            verdict = "passed" if row["passed"] else "failed"
            table.add_row(preset, statistic, f"{row['world']}", f"{row['target']}", limit, verdict)
    out.print(table)
    for preset, rates in result["rates"].items():
        for what, unit in (("logging_policy", "core s"), ("logging_policy_wall", "s"), ("given_slates", "core s")):
            one = rates[what]
            out.print(f"{preset}, {what}: {one['median']:,} requests/{unit} ({one['least']:,} to {one['most']:,})")


if __name__ == "__main__":
    main()
