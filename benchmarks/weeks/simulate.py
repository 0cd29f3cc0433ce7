"""What is simulated: a first run, the weeks of three arms, and what is found in them."""

from __future__ import annotations

import os
import shutil
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import polars as pl
from benchmarks.command import Note
from benchmarks.cores import core_seconds
from benchmarks.weeks import checks
from benchmarks.weeks.arm import SimulatedArm
from benchmarks.weeks.clock import SimulatedClock
from benchmarks.weeks.loop import Seconds, SimulatedRollout, bring_catalogue, collected, trained
from benchmarks.weeks.plan import WeeksPlan
from benchmarks.weeks.regret import LOOP, by_day, compared
from benchmarks.weeks.replica import SimulatedReplica

from remora.settings import Settings
from remora.simulation.tables import write_tables
from remora.workflow.ingest import ingest

FROZEN, FROZEN_LIVE = "frozen", "frozen, live state"


def simulated(plan: WeeksPlan, folder: Path, note: Note) -> dict[str, Any]:
    """Everything that is reported, with how long it took. Needs a Ray cluster."""
    began, load = time.monotonic(), os.getloadavg()
    with core_seconds() as cores:
        found = found_in_weeks(plan, folder, note)
    took = {"seconds": round(time.monotonic() - began, 1), "core_seconds": round(cores.total, 1)}
    return found | took | {"load_average": {"before": load, "after": os.getloadavg()}}


def found_in_weeks(plan: WeeksPlan, folder: Path, note: Note) -> dict[str, Any]:
    """The three arms, and what must hold of them."""
    seconds = Seconds()
    tables, home = folder / "tables", folder / "home"
    with seconds.counted("tables"):
        written = write_tables(tables, plan.world, plan.past_days)
    settings = plan.settings(tables, home)
    note(f"{written.rows} rows of {plan.past_days} days; the first run")
    first = trained(settings, seconds, note, first=True)
    homes = {FROZEN: frozen(settings, folder / "frozen", live=False)}
    homes[FROZEN_LIVE] = frozen(settings, folder / "frozen_live", live=True)
    loop, weeks = with_loop(plan, settings, tables, seconds, note)
    arms = {LOOP: loop} | {name: without_loop(name, plan, apart, seconds, note) for name, apart in homes.items()}
    past = past_events(tables)
    whole = {name: arm.requests for name, arm in arms.items()}
    kept = {name: requests.filter(pl.col("day") < plan.end) for name, requests in whole.items()}
    return {
        "seed": plan.world.seed,
        "bundles": {"first": first["bundle"], "weeks": weeks},
        "regret": {name: compared(kept[LOOP], kept[name]) for name in homes},
        "by_day": by_day(kept),
        "requests": {name: len(one) for name, one in kept.items()},
        "seen_items_shown": {name: int(one["seen"].sum()) for name, one in whole.items()},
        "shown_while_under_way": {name: int(one["under_way"].sum()) for name, one in whole.items()},
        "degraded": {name: degraded(one) for name, one in whole.items()},
        "canary_requests": int((whole[LOOP]["variant"] == "canary").sum()),
        "verdicts": {name: dict(arm.verdicts) for name, arm in arms.items()},
        "events": checks.exactly_once(settings, past, loop.accepted),
        "slates": checks.slates_once(settings, whole[LOOP]["request_id"].to_list()),
        "leaks": sum(len(week["leaks"]) for week in weeks),
        "parity_differences": sum(len(week["parity"]["differences"]) for week in weeks),
        "parity_requests": sum(week["parity"]["requests"] for week in weeks),
        "seconds_by_phase": {name: round(took, 1) for name, took in seconds.of.items()},
    }


def frozen(settings: Settings, home: Path, *, live: bool) -> Settings:
    """A copy of the home as it is."""
    shutil.copytree(settings.home, home)
    events = settings.events.model_copy(update={"live": settings.events.live.model_copy(update={"enabled": live})})
    return settings.model_copy(update={"home": str(home), "events": events})


def with_loop(
    plan: WeeksPlan, settings: Settings, tables: Path, seconds: Seconds, note: Note
) -> tuple[SimulatedArm, list[dict[str, Any]]]:
    """The weeks of the arm that learns, and what became of each; behind them are the last canary's day and one more."""
    clock = SimulatedClock.of(plan.world.start)
    clock.set(plan.past_days)
    weeks: list[dict[str, Any]] = []
    rollout: SimulatedRollout | None = None
    with closing(SimulatedReplica(settings, clock)) as replica:
        arm, logged = SimulatedArm(LOOP, plan.world, plan.past_days, replica, clock), 0

        def live(day: int) -> None:
            with seconds.counted(f"live, {LOOP}"):
                arm.live(day)
            if rollout is not None:
                with seconds.counted("rollout"):
                    rollout.look()

        for start in plan.weeks_from:
            for day in range(start, start + plan.days_of_week):
                live(day)
            end = start + plan.days_of_week
            note(f"until day {end}: {len(arm.requests):,} requests, {dict(arm.verdicts)}")
            if rollout is not None:
                weeks[-1]["rollout"] = rollout.told()
            with seconds.counted("collect"):
                logged = collected(settings, replica, logged)
            bring_catalogue(tables, arm.world, end)
            made = trained(settings, seconds, note)
            with seconds.counted("parity"):
                parity = checks.parity_of_requests(settings, clock.at(start))
            note(f"  parity: {parity}")
            weeks.append({"until_day": end, **made, "leaks": checks.suspected_leaks(settings), "parity": parity})
            with seconds.counted("rollout"):
                replica.follow()
                rollout = None if made["refused_by_gates"] else SimulatedRollout(settings, replica, clock)
                if rollout is not None:
                    rollout.start(made["bundle"])
        if rollout is not None:
            live(end)
            live(end + 1)
            weeks[-1]["rollout"] = rollout.told()
            with seconds.counted("collect"):
                collected(settings, replica, logged)
                ingest(settings, since_last=True)
    return arm, weeks


def without_loop(name: str, plan: WeeksPlan, settings: Settings, seconds: Seconds, note: Note) -> SimulatedArm:
    """The same weeks with what the home serves at their beginning."""
    clock = SimulatedClock.of(plan.world.start)
    clock.set(plan.past_days)
    with closing(SimulatedReplica(settings, clock)) as replica:
        arm = SimulatedArm(name, plan.world, plan.past_days, replica, clock)
        for day in range(plan.past_days, plan.end):
            with seconds.counted(f"live, {name}"):
                arm.live(day)
        note(f"{name}: {len(arm.requests):,} requests, {dict(arm.verdicts)}")
    return arm


def degraded(requests: pl.DataFrame) -> dict[str, int]:
    """Requests of which a stage was skipped, by what was."""
    found = requests.filter(pl.col("degraded") != "").group_by("degraded").len().sort("degraded")
    return dict(found.iter_rows())


def past_events(tables: Path) -> list[str]:
    """Ids of the events that the tables begin with."""
    ids: list[str] = pl.read_parquet(tables / "events.parquet", columns=["event_id"])["event_id"].unique().to_list()
    return ids
